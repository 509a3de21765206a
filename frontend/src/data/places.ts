/** What a place is called: its zone where the outline names zones, else where it lies in the city. */
import type { Bounds, Outline, OutlineFeature } from "./messages";
import { texts } from "../texts";
import type { Measures } from "./units";

export interface Point {
  latitude: number;
  longitude: number;
}

const MILES_PER_DEGREE = 69.05;

/** Direction and distance from the middle of `bounds`, e.g. "2.1 mi NE of centre". */
export function whereabouts(point: Point, bounds: Bounds, measures: Measures): string {
  const latitude = (bounds.south + bounds.north) / 2;
  const longitude = (bounds.west + bounds.east) / 2;
  const north = (point.latitude - latitude) * MILES_PER_DEGREE;
  const east = (point.longitude - longitude) * MILES_PER_DEGREE * Math.cos((latitude * Math.PI) / 180);
  const miles = Math.hypot(north, east);
  if (miles < 0.25) return texts.place.center;
  const turn = (Math.atan2(east, north) / (2 * Math.PI) + 1) % 1;
  const direction = texts.place.directions[Math.round(turn * 8) % 8] ?? "";
  return texts.place.from(measures.distance(miles), direction);
}

type Ring = [number, number][];

function insideRing(x: number, y: number, ring: Ring): boolean {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i, i += 1) {
    const [xi, yi] = ring[i]!;
    const [xj, yj] = ring[j]!;
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}

/** Whether a GeoJSON Polygon or MultiPolygon covers a point; holes don't count. */
export function covers(feature: OutlineFeature, point: Point): boolean {
  const { geometry } = feature;
  if (!geometry) return false;
  const polygons =
    geometry.type === "Polygon"
      ? [geometry.coordinates as Ring[]]
      : geometry.type === "MultiPolygon"
        ? (geometry.coordinates as Ring[][])
        : [];
  return polygons.some((rings) =>
    rings.reduce((inside, ring) => inside !== insideRing(point.longitude, point.latitude, ring), false),
  );
}

function featureName(feature: OutlineFeature): string | null {
  const name = feature.properties?.["name"] ?? feature.properties?.["zone"];
  return typeof name === "string" && name.trim() ? name : null;
}

/** Names for points, from the zones of `outline` where it has names. */
export function pointNamer(bounds: Bounds, outline: Outline | null, measures: Measures): (point: Point) => string {
  const zones = (outline?.features ?? []).filter((feature) => featureName(feature) !== null);
  return (point) => {
    const zone = zones.find((feature) => covers(feature, point));
    return (zone && featureName(zone)) ?? whereabouts(point, bounds, measures);
  };
}

/** The part of a cell's id that differs between neighbours. */
export function shortId(cellId: string): string {
  return /^8[0-9a-f]{14}$/.test(cellId) ? cellId.replace(/f+$/, "").slice(-5) : cellId;
}
