/** deck.gl with a clock that slows down while nothing moves: its own draws sixty times a second, changed or not. */
import { Deck } from "@deck.gl/core";
import { Clock } from "./clock";

const STIRRINGS = ["pointermove", "pointerdown", "wheel", "keydown", "touchstart"];

interface Loop {
  onRender(...about: unknown[]): void;
  display: Clock;
}

interface Base {
  canvas: HTMLElement | null;
  setProps(props: object): void;
  _createAnimationLoop(props: object): Loop;
}

const BaseDeck = Deck as unknown as new (props: object) => Base;

export class CalmDeck extends BaseDeck {
  // Not initialised here: deck.gl's constructor makes the loop, and with it the clock.
  declare private clock: Clock | undefined;

  override _createAnimationLoop(props: object): Loop {
    const loop = super._createAnimationLoop(props);
    const clock = new Clock((...about) => loop.onRender(...about));
    this.clock = loop.display = clock;
    const around = this.canvas?.parentElement ?? null;
    for (const kind of STIRRINGS) around?.addEventListener(kind, () => clock.wake(), { capture: true, passive: true });
    return loop;
  }

  override setProps(props: object): void {
    super.setProps(props);
    this.clock?.wake();
  }
}
