/** The base map: the city's outline drawn by MapLibre from the configuration itself, so no tile is ever fetched. */
import type { Outline } from "../data/messages";

const WATER = "#0b121b";
const LAND = "#141f2d";
const EDGE = "#2c3f56";

/** A MapLibre style with the outline inline; a plain background without one. */
export function basemapStyle(outline: Outline | null): Record<string, unknown> {
  const background = { id: "background", type: "background", paint: { "background-color": WATER } };
  if (!outline) return { version: 8, sources: {}, layers: [background] };
  return {
    version: 8,
    sources: { outline: { type: "geojson", data: outline } },
    layers: [
      background,
      {
        id: "land",
        type: "fill",
        source: "outline",
        filter: ["in", ["geometry-type"], ["literal", ["Polygon", "MultiPolygon"]]],
        paint: { "fill-color": LAND, "fill-antialias": true },
      },
      { id: "edges", type: "line", source: "outline", paint: { "line-color": EDGE, "line-width": 0.8 } },
    ],
  };
}
