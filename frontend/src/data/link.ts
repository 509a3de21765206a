/** What a link to the dashboard says: the place, the layer, the moment, the view and the filter. It stands after the `#`. */
import type { View } from "../map/view";
import { filterParts, parseFilter, type Filter } from "./filter";

/** What the colours of the map show; the last two only of the past, whose outcome is known. */
export const MAP_LAYERS = ["now", "forecast", "outcome", "error"] as const;
export type MapLayer = (typeof MAP_LAYERS)[number];
export const LIVE_LAYERS: readonly MapLayer[] = ["now", "forecast"];

export interface Link {
  cell: string | null;
  layer: MapLayer;
  /** A moment of the past in ms; null is live. */
  at: number | null;
  view: View | null;
  filter: Filter;
}

const VIEW_DIGITS: readonly [keyof View, number][] = [
  ["latitude", 5],
  ["longitude", 5],
  ["zoom", 2],
  ["pitch", 0],
  ["bearing", 0],
];

function viewOfText(text: string | null): View | null {
  const numbers = (text ?? "").split(",").map((part) => (part.trim() ? Number(part) : NaN));
  if (numbers.length !== VIEW_DIGITS.length || !numbers.every(Number.isFinite)) return null;
  const view = Object.fromEntries(VIEW_DIGITS.map(([name], index) => [name, numbers[index]])) as unknown as View;
  return Math.abs(view.latitude) <= 85 && Math.abs(view.longitude) <= 180 ? view : null;
}

/** Reads a link; what it does not say, or says wrongly, is as on a first visit. */
export function parseLink(hash: string): Link {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  const at = Date.parse(said.get("at") ?? "");
  const live = Number.isNaN(at);
  const layer = MAP_LAYERS.find((each) => each === said.get("layer")) ?? "now";
  return {
    cell: said.get("cell") || null,
    layer: live && !LIVE_LAYERS.includes(layer) ? "now" : layer,
    at: live ? null : at,
    view: viewOfText(said.get("view")),
    filter: parseFilter(said),
  };
}

/** The link as the part of an address from `#` on; empty where there is nothing to say. */
export function linkText({ cell, layer, at, view, filter }: Link): string {
  const parts: [string, string][] = [];
  if (cell) parts.push(["cell", encodeURIComponent(cell)]);
  if (layer !== "now") parts.push(["layer", layer]);
  if (at !== null) parts.push(["at", isoOf(at)]);
  if (view) parts.push(["view", VIEW_DIGITS.map(([name, digits]) => String(Number(view[name].toFixed(digits)))).join(",")]);
  parts.push(...filterParts(filter));
  return parts.length ? `#${parts.map((part) => part.join("=")).join("&")}` : "";
}

/** A moment as the API takes it. */
export function isoOf(ms: number): string {
  return new Date(ms).toISOString().replace(".000Z", "Z");
}
