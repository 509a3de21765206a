/** Kepler.gl's H3 layer, with colours and heights that mean the same in every frame. */
import { KeplerGlLayers } from "@kepler.gl/layers";
import { LEVELS } from "../data/messages";
import { niceTop } from "./rows";

interface DeckLayer {
  clone(props: object): DeckLayer;
}

const { H3Layer } = KeplerGlLayers as unknown as {
  H3Layer: new (props: unknown) => {
    calculateLayerDomain(dataset: unknown, channel: { property: string }): unknown;
    renderLayer(options: unknown): DeckLayer[];
  };
};


/** The top never comes down: a column's height would otherwise change because another place emptied. */
let top = niceTop(0);

export function raiseTop(largest: number): void {
  top = Math.max(top, niceTop(largest));
}

/** Bright enough that the tops look as the legend says; the default light turns yellow into olive. */
const MATERIAL = { ambient: 0.74, diffuse: 0.34, shininess: 24, specularColor: [16, 16, 16] };

export class PlaceLayer extends H3Layer {
  override renderLayer(options: unknown): DeckLayer[] {
    const [columns, ...others] = super.renderLayer(options);
    return columns ? [columns.clone({ material: MATERIAL }), ...others] : others;
  }

  override calculateLayerDomain(_dataset: unknown, channel: { property: string }): unknown {
    if (channel.property === "height") return [0, top];
    // In this order and complete, or the colours would shift when a level is absent.
    return [...LEVELS];
  }
}
