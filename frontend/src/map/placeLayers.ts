/** Kepler.gl's layers for places, with colours and heights that mean the same in every frame. */
import { KeplerGlLayers } from "@kepler.gl/layers";
import { LEVELS } from "../data/messages";
import { SENSOR_LAYER_TYPE } from "./config";
import { niceTop } from "./rows";

interface DeckLayer {
  clone(props: object): DeckLayer;
}

interface KeplerLayer {
  calculateLayerDomain(dataset: unknown, channel: { property: string }): unknown;
  renderLayer(options: unknown): DeckLayer[];
}

type LayerClass = new (props: never) => KeplerLayer;

const { H3Layer, PointLayer } = KeplerGlLayers as unknown as { H3Layer: LayerClass; PointLayer: LayerClass };

/** The top never comes down: a column's height would otherwise change because another place emptied. */
let top = niceTop(0);

export function raiseTop(largest: number): void {
  top = Math.max(top, niceTop(largest));
}

function domainOf(channel: { property: string }): unknown {
  // The levels in this order and complete, or the colours would shift when a level is absent.
  return channel.property === "height" ? [0, top] : [...LEVELS];
}

/** Bright enough that the tops look as the legend says; the default light turns yellow into olive. */
const MATERIAL = { ambient: 0.74, diffuse: 0.34, shininess: 24, specularColor: [16, 16, 16] };

/** H3 cells as columns. */
export class HexagonLayer extends H3Layer {
  override renderLayer(options: unknown): DeckLayer[] {
    const [columns, ...others] = super.renderLayer(options);
    return columns ? [columns.clone({ material: MATERIAL }), ...others] : others;
  }

  override calculateLayerDomain(_dataset: unknown, channel: { property: string }): unknown {
    return domainOf(channel);
  }
}

/** Road sensors as circles. */
export class SensorLayer extends PointLayer {
  get type(): string {
    return SENSOR_LAYER_TYPE;
  }

  override calculateLayerDomain(_dataset: unknown, channel: { property: string }): unknown {
    return domainOf(channel);
  }
}
