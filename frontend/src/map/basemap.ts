/** The base map: the city's outline drawn by MapLibre from the configuration itself, so no tile is ever fetched. */
import type { Outline } from "../data/messages";
import { DRAWN, type Theme } from "../palette";

/** A MapLibre style with the outline inline; a plain background without one. */
export function basemapStyle(outline: Outline | null, theme: Theme = "dark"): Record<string, unknown> {
  const { water, land, edge } = DRAWN[theme];
  const background = { id: "background", type: "background", paint: { "background-color": water } };
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
        paint: { "fill-color": land, "fill-antialias": true },
      },
      { id: "edges", type: "line", source: "outline", paint: { "line-color": edge, "line-width": 0.8 } },
    ],
  };
}
