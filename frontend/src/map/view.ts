/** Where the map looks at first. */
import type { Bounds, ScoredWindow } from "../data/messages";
import type { Point } from "../data/places";
import type { CityState } from "../data/state";

export interface View {
  latitude: number;
  longitude: number;
  zoom: number;
  pitch: number;
  bearing: number;
}

const TILE_PIXELS = 512;
const PITCH = 44;
const BEARING = -14;

const mercator = (latitude: number): number =>
  Math.log(Math.tan(Math.PI / 4 + (latitude * Math.PI) / 360)) / (2 * Math.PI);

/** The box that holds the middle 90% of `points` in each direction; `fallback` where there are too few. */
export function busyBounds(points: readonly { latitude: number; longitude: number }[], fallback: Bounds): Bounds {
  if (points.length < 20) return fallback;
  const span = (values: number[]): [number, number] => {
    values.sort((a, b) => a - b);
    return [values[Math.floor(values.length * 0.05)]!, values[Math.ceil(values.length * 0.95) - 1]!];
  };
  const [south, north] = span(points.map((point) => point.latitude));
  const [west, east] = span(points.map((point) => point.longitude));
  return south < north && west < east ? { south, west, north, east } : fallback;
}

/** Where the city is busy: where its vehicles are; where none are known, as of the past, the places of a known level. */
export function cityBounds(city: CityState, center: ((cellId: string) => Point | null) | undefined, fallback: Bounds): Bounds {
  if (city.vehicles.size > 0) return busyBounds([...city.vehicles.values()], fallback);
  const centers = (cells: ScoredWindow[]): Point[] => cells.flatMap((cell) => center?.(cell.cell_id) ?? []);
  const cells = [...city.cells.values()];
  return busyBounds(centers(cells.filter((cell) => cell.level !== "unknown")), busyBounds(centers(cells), fallback));
}

/** A view in which `bounds` fills a map of `width` × `height` pixels; tilted where places have a height to be seen. */
export function viewOf(bounds: Bounds, width: number, height: number, tilted = true): View {
  const across = (bounds.east - bounds.west) / 360;
  const along = mercator(bounds.north) - mercator(bounds.south);
  const zoom = Math.log2(Math.min(width / TILE_PIXELS / across, height / TILE_PIXELS / along));
  return {
    latitude: (bounds.south + bounds.north) / 2,
    longitude: (bounds.west + bounds.east) / 2,
    zoom: Math.max(3, Math.min(14, zoom + (tilted ? 0.1 : -0.1))),
    pitch: tilted ? PITCH : 0,
    bearing: tilted ? BEARING : 0,
  };
}

const PARTS = ["latitude", "longitude", "zoom", "pitch", "bearing"] as const;

/** The view in the map's state, or null while there is none. */
export function viewIn(state: Partial<View> | undefined): View | null {
  if (!state || !PARTS.every((part) => Number.isFinite(state[part]))) return null;
  return Object.fromEntries(PARTS.map((part) => [part, state[part]])) as unknown as View;
}

export function sameView(a: View, b: View): boolean {
  return PARTS.every((part) => a[part] === b[part]);
}
