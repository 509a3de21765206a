/** Vehicles as small marks whose tip points where they drive; a dot until they have moved. */
import { IconLayer } from "@deck.gl/layers";
import { KeplerGlLayers } from "@kepler.gl/layers";
import { VEHICLE_LAYER_TYPE } from "./config";
import { HEADING } from "./rows";

interface Datum {
  index: number;
}

interface Options {
  data: { data: Datum[]; getPosition: unknown; getFilterValue: unknown };
  dataset: { dataContainer: { valueAt(row: number, column: number): unknown } };
  gpuFilter: { filterValueUpdateTriggers: unknown };
}

interface Base {
  config: { color: number[]; visConfig: { radius: number; opacity: number } };
  getDefaultDeckLayerProps(options: Options): object;
}

const { PointLayer } = KeplerGlLayers as unknown as { PointLayer: new (props: never) => Base };

const SIDE = 64;
const MAPPING = {
  tip: { x: 0, y: 0, width: SIDE, height: SIDE, mask: true },
  dot: { x: SIDE, y: 0, width: SIDE, height: SIDE, mask: true },
};
/** Pixels of a mark for each pixel of Kepler's radius. */
const SCALE = 4.5;

let atlas: HTMLCanvasElement | null = null;

/** Both marks, drawn once: a file would have to be fetched. */
function marks(): HTMLCanvasElement {
  if (atlas) return atlas;
  atlas = document.createElement("canvas");
  [atlas.width, atlas.height] = [2 * SIDE, SIDE];
  const context = atlas.getContext("2d")!;
  context.beginPath();
  for (const [x, y] of [[32, 4], [52, 58], [32, 46], [12, 58]] as const) context.lineTo(x, y);
  context.fill();
  context.beginPath();
  context.arc(SIDE + SIDE / 2, SIDE / 2, 15, 0, 2 * Math.PI);
  context.fill();
  return atlas;
}

export class VehicleLayer extends PointLayer {
  get type(): string {
    return VEHICLE_LAYER_TYPE;
  }

  renderLayer(options: Options): unknown[] {
    const { data, dataset, gpuFilter } = options;
    const { color, visConfig } = this.config;
    const heading = ({ index }: Datum): number | null => dataset.dataContainer.valueAt(index, HEADING) as number | null;
    return [
      new IconLayer({
        ...this.getDefaultDeckLayerProps(options),
        data: data.data,
        getPosition: data.getPosition,
        getFilterValue: data.getFilterValue,
        iconAtlas: marks(),
        iconMapping: MAPPING,
        getIcon: (vehicle: Datum) => (heading(vehicle) === null ? "dot" : "tip"),
        // Clockwise from north, where deck.gl turns the other way round.
        getAngle: (vehicle: Datum) => -(heading(vehicle) ?? 0),
        getColor: color,
        getSize: visConfig.radius * SCALE,
        sizeUnits: "pixels",
        billboard: false,
        opacity: visConfig.opacity,
        parameters: { depthTest: false },
        updateTriggers: { getColor: color, getFilterValue: gpuFilter.filterValueUpdateTriggers },
      } as never),
    ];
  }
}
