/** The base map: the city's outline drawn by MapLibre from the configuration itself, so no tile is fetched; or a style that the installation names. */
import { useEffect, useState } from "react";
import { texts } from "../texts";
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

type Style = Record<string, unknown>;

/** The style at `address`, or null where the outline is to be drawn: by default, and where the address does not answer. */
export function useGround(address: string | null): { known: boolean; style: Style | null } {
  const [ground, setGround] = useState<{ known: boolean; style: Style | null }>({ known: address === null, style: null });
  useEffect(() => {
    if (address === null) return;
    const abort = new AbortController();
    fetch(address, { signal: abort.signal })
      .then(async (response) => (response.ok ? ((await response.json()) as Style) : null))
      .catch(() => null)
      .then((style) => abort.signal.aborted || setGround({ known: true, style: style?.["version"] === 8 ? style : null }));
    return () => abort.abort();
  }, [address]);
  return ground;
}

/** Whom the style's sources ask to be named, as plain text. */
export function creditsOf(style: Style): string {
  const sources = Object.values((style["sources"] ?? {}) as Record<string, { attribution?: unknown }>);
  const credits = sources.map(({ attribution }) => (typeof attribution === "string" ? attribution.replace(/<[^>]*>/g, "").trim() : ""));
  return [...new Set(credits.filter(Boolean))].join(" · ") || texts.map.credits;
}
