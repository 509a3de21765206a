/** The map's saved configuration: which table is drawn by which layer, and how. */
import { LEVELS, type Level, type PlaceKind } from "../data/messages";
import { MAP_LAYERS, type MapLayer } from "../data/link";
import { DRAWN, ERROR_COLORS, LEVEL_COLORS, type Theme } from "../palette";
import { texts } from "../texts";
import { PLACES, placeTooltip, SELECTION, VEHICLES, VEHICLE_TOOLTIP } from "./rows";
import type { View } from "./view";

/** Layers of places are called as the link calls them; one at a time is seen. */
const LEVEL_FIELDS: Readonly<Record<MapLayer, string>> = {
  now: "level",
  forecast: "forecast_level",
  outcome: "outcome_level",
  error: "error",
};
export const VEHICLE_LAYER = "vehicles";
export const SELECTION_LAYER = "selection";
/** The types of layer under which `SensorLayer` and `VehicleLayer` are known to Kepler. */
export const SENSOR_LAYER_TYPE = "sensor";
export const VEHICLE_LAYER_TYPE = "vehicle";

/** Metres of the tallest column per unit of Kepler's elevation scale. */
const ELEVATION = { sizeRange: [0, 500], elevationScale: 4.5, enable3d: true, enableElevationZoomFactor: true };

const rgb = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

/** How places are drawn: Kepler's layer type, the columns that say where they are, their looks and those of the selected one. */
interface Shape {
  type: string;
  columns: object;
  looks: object;
  selectedLooks: object;
  ring: boolean;
  channels: object;
}

const SHAPES: Readonly<Record<PlaceKind, Shape>> = {
  h3: {
    type: "hexagonId",
    columns: { hex_id: "cell_id" },
    looks: { opacity: 0.82, coverage: 0.84, ...ELEVATION },
    selectedLooks: { opacity: 0.5, coverage: 0.97, ...ELEVATION, elevationScale: ELEVATION.elevationScale * 1.06 },
    ring: false,
    channels: { sizeField: { name: "vehicle_count", type: "integer" }, sizeScale: "linear" },
  },
  sensor: {
    type: SENSOR_LAYER_TYPE,
    columns: { lat: "latitude", lng: "longitude" },
    looks: { radius: 28, opacity: 0.85, filled: true, outline: false, allowHover: true },
    // A ring, so that the colour of the selected one stays to be seen.
    selectedLooks: { radius: 36, opacity: 1, filled: false, outline: true, thickness: 3, allowHover: false },
    ring: true,
    channels: {},
  },
};

function levelRange(colorOf: (level: Level) => string): object {
  return {
    name: "congestion",
    type: "custom",
    category: "Custom",
    colors: LEVELS.map(colorOf),
    colorMap: LEVELS.map((level) => [level, colorOf(level)]),
  };
}

interface PlaceLayerOptions {
  id: string;
  dataId: string;
  label: string;
  levelField: string;
  isVisible: boolean;
}

function places({ type, columns, channels }: Shape, visConfig: object, options: PlaceLayerOptions): object {
  const { id, dataId, label, levelField, isVisible } = options;
  return {
    id,
    type,
    config: { dataId, label, columns, isVisible, visConfig },
    visualChannels: { colorField: { name: levelField, type: "string" }, colorScale: "customOrdinal", ...channels },
  };
}

/** What of the layers' looks hangs on the theme: the vehicles' colour and that of the selected place. */
export function themeLooks(kind: PlaceKind, theme: Theme): { vehicles: object; selection: object } {
  const { selection, vehicle } = DRAWN[theme];
  return {
    vehicles: { color: rgb(vehicle) },
    selection: { colorRange: levelRange(() => selection), ...(SHAPES[kind].ring ? { strokeColor: rgb(selection) } : {}) },
  };
}

export function mapConfig(view: View, horizonMinutes: number, styleId: string, kind: PlaceKind, shown: MapLayer = "now", theme: Theme = "dark", past = false): object {
  const shape = SHAPES[kind];
  const looks = themeLooks(kind, theme);
  const show = (names: string[]): object[] => names.map((name) => ({ name, format: null }));
  const aboutPlaces = show(placeTooltip(kind, past));
  return {
    version: "v1",
    config: {
      visState: {
        filters: [],
        layers: [
          {
            id: VEHICLE_LAYER,
            type: VEHICLE_LAYER_TYPE,
            config: {
              dataId: VEHICLES,
              label: texts.map.vehicles,
              ...looks.vehicles,
              columns: { lat: "latitude", lng: "longitude" },
              isVisible: true,
              visConfig: { radius: 3, opacity: 0.85, filled: true, outline: false, allowHover: true },
            },
            visualChannels: {},
          },
          places(shape, { ...shape.selectedLooks, ...looks.selection }, {
            id: SELECTION_LAYER,
            dataId: SELECTION,
            label: texts.details.title,
            levelField: "level",
            isVisible: true,
          }),
          ...MAP_LAYERS.map((id) =>
            places(shape, { ...shape.looks, colorRange: levelRange((level) => (id === "error" ? ERROR_COLORS : LEVEL_COLORS)[level]) }, {
              id,
              dataId: PLACES,
              label: texts.map.layers[id](horizonMinutes),
              levelField: LEVEL_FIELDS[id],
              isVisible: id === shown,
            }),
          ),
        ],
        interactionConfig: {
          tooltip: {
            enabled: true,
            fieldsToShow: { [PLACES]: aboutPlaces, [VEHICLES]: show(VEHICLE_TOOLTIP), [SELECTION]: aboutPlaces },
          },
        },
      },
      mapState: { ...view, dragRotate: true },
      mapStyle: { styleType: styleId },
    },
  };
}
