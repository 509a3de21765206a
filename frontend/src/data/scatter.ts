/** Places as points of a plot. Pure. */
import type { Level, ScoredWindow } from "./messages";

export interface Dot {
  id: string;
  /** Speed now and expected, as shares of free flow. */
  now: number;
  then: number;
  level: Level;
  radius: number;
}

/** A point for each place with a level, a speed and one expected. */
export function pointsOf(cells: readonly ScoredWindow[]): Dot[] {
  return cells.flatMap((cell) => {
    const then = cell.forecast?.expected_speed_mph;
    if (cell.ratio === null || then == null || cell.level === "unknown" || cell.free_flow_mph <= 0) return [];
    return [{ id: cell.cell_id, now: cell.ratio, then: then / cell.free_flow_mph, level: cell.level, radius: Math.min(9, 2.5 + Math.sqrt(cell.vehicle_count) / 2) }];
  });
}

/** The dot nearest to a click, if one is within `reach` pixels. */
export function nearest(dots: readonly Dot[], place: (dot: Dot) => [number, number], [x, y]: [number, number], reach: number): Dot | null {
  let found: Dot | null = null;
  let least = reach;
  for (const dot of dots) {
    const [left, top] = place(dot);
    const distance = Math.hypot(left - x, top - y);
    if (distance <= least) [found, least] = [dot, distance];
  }
  return found;
}
