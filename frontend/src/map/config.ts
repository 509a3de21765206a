/** The map's saved configuration: which table is drawn by which layer, and how. */
import { LEVELS, type Level } from "../data/messages";
import { LEVEL_COLORS, SELECTION_COLOR, VEHICLE_COLOR } from "../palette";
import { texts } from "../texts";
import { PLACES, PLACE_TOOLTIP, SELECTION, VEHICLES, VEHICLE_TOOLTIP } from "./rows";
import type { View } from "./view";

export const NOW_LAYER = "now";
export const FORECAST_LAYER = "forecast";
export const VEHICLE_LAYER = "vehicles";
export const SELECTION_LAYER = "selection";

/** Metres of the tallest column per unit of Kepler's elevation scale. */
const ELEVATION = { sizeRange: [0, 500], elevationScale: 4.5, enable3d: true, enableElevationZoomFactor: true };

const rgb = (hex: string): number[] => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

function levelRange(colorOf: (level: Level) => string): object {
  return {
    name: "congestion",
    type: "custom",
    category: "Custom",
    colors: LEVELS.map(colorOf),
    colorMap: LEVELS.map((level) => [level, colorOf(level)]),
  };
}

function places(id: string, label: string, levelField: string, isVisible: boolean): object {
  return {
    id,
    type: "hexagonId",
    config: {
      dataId: PLACES,
      label,
      columns: { hex_id: "cell_id" },
      isVisible,
      visConfig: { opacity: 0.82, colorRange: levelRange((level) => LEVEL_COLORS[level]), coverage: 0.84, ...ELEVATION },
    },
    visualChannels: {
      colorField: { name: levelField, type: "string" },
      colorScale: "customOrdinal",
      sizeField: { name: "vehicle_count", type: "integer" },
      sizeScale: "linear",
    },
  };
}

export function mapConfig(view: View, horizonMinutes: number, styleId: string): object {
  const show = (names: string[]): object[] => names.map((name) => ({ name, format: null }));
  return {
    version: "v1",
    config: {
      visState: {
        filters: [],
        layers: [
          {
            id: VEHICLE_LAYER,
            type: "point",
            config: {
              dataId: VEHICLES,
              label: texts.map.vehicles,
              color: rgb(VEHICLE_COLOR),
              columns: { lat: "latitude", lng: "longitude" },
              isVisible: true,
              visConfig: { radius: 3, opacity: 0.85, filled: true, outline: false, allowHover: true },
            },
            visualChannels: {},
          },
          {
            id: SELECTION_LAYER,
            type: "hexagonId",
            config: {
              dataId: SELECTION,
              label: texts.details.title,
              columns: { hex_id: "cell_id" },
              isVisible: true,
              visConfig: { opacity: 0.5, colorRange: levelRange(() => SELECTION_COLOR), coverage: 0.97, ...ELEVATION, elevationScale: ELEVATION.elevationScale * 1.06 },
            },
            visualChannels: {
              colorField: { name: "level", type: "string" },
              colorScale: "customOrdinal",
              sizeField: { name: "vehicle_count", type: "integer" },
              sizeScale: "linear",
            },
          },
          places(NOW_LAYER, texts.map.now, "level", true),
          places(FORECAST_LAYER, texts.map.forecast(horizonMinutes), "forecast_level", false),
        ],
        interactionConfig: {
          tooltip: {
            enabled: true,
            fieldsToShow: { [PLACES]: show(PLACE_TOOLTIP), [VEHICLES]: show(VEHICLE_TOOLTIP), [SELECTION]: show(PLACE_TOOLTIP) },
          },
        },
      },
      mapState: { ...view, dragRotate: true },
      mapStyle: { styleType: styleId },
    },
  };
}
