/** A clock for drawing: sixty times a second while something moves, four times while nothing does. */

/** Milliseconds for which every frame is drawn after something has moved or changed. */
const AWAKE_MS = 500;
/** Milliseconds between frames after that, for what nobody told of. */
const ASLEEP_MS = 250;

type Draw = () => void;

/** Stands in for the browser's clock in luma.gl's animation loop, where a headset's clock would. */
export class Clock {
  private awakeUntil = 0;
  private waiting: Draw | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private frame = 0;

  constructor(
    private readonly render: (...about: unknown[]) => void,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Every frame from now on, for a while. */
  wake(): void {
    this.awakeUntil = this.now() + AWAKE_MS;
    if (this.waiting) this.next();
  }

  requestAnimationFrame(draw: Draw): number {
    this.waiting = draw;
    if (this.now() < this.awakeUntil) this.next();
    else this.timer = setTimeout(() => this.next(), ASLEEP_MS);
    return 1;
  }

  cancelAnimationFrame(): void {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.waiting = null;
  }

  _renderFrame(...about: unknown[]): void {
    this.render(...about);
  }

  private next(): void {
    const draw = this.waiting;
    if (!draw) return;
    clearTimeout(this.timer);
    this.waiting = null;
    this.frame = requestAnimationFrame(draw);
  }
}
