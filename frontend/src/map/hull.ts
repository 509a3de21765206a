/** The ground that road sensors stand on, for a city whose outline nobody drew. */
import type { Outline } from "../data/messages";
import type { Point } from "../data/places";

type Corner = [number, number];

const ROOM = 1.12;
const FEWEST = 3;

/** Twice the area of the triangle; positive where it turns left. */
const turn = (a: Corner, b: Corner, c: Corner): number => (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);

function chain(corners: readonly Corner[]): Corner[] {
  const kept: Corner[] = [];
  for (const corner of corners) {
    while (kept.length > 1 && turn(kept.at(-2)!, kept.at(-1)!, corner) <= 0) kept.pop();
    kept.push(corner);
  }
  return kept.slice(0, -1);
}

/** The convex hull of `points` with some room around it, as an outline; null where there are too few or they are in line. */
export function hullOutline(points: readonly Point[]): Outline | null {
  const sorted = points.map(({ longitude, latitude }): Corner => [longitude, latitude]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  const hull = [...chain(sorted), ...chain([...sorted].reverse())];
  if (hull.length < FEWEST) return null;
  const [x, y] = [0, 1].map((axis) => hull.reduce((sum, corner) => sum + corner[axis]!, 0) / hull.length) as Corner;
  const ring = hull.map(([east, north]): Corner => [x + (east - x) * ROOM, y + (north - y) * ROOM]);
  const coordinates = [[...ring, ring[0]!]];
  return { type: "FeatureCollection", features: [{ type: "Feature", properties: null, geometry: { type: "Polygon", coordinates } }] };
}
