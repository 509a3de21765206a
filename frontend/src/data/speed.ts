/** The speed of a place that goes with its level. */
import type { ScoredWindow } from "./messages";

/** Of the last 10 minutes, as the level is: the window's own, of one or two vehicles, would contradict it. Where the level is not known, the window's own. */
export function speedNow({ level, ratio, free_flow_mph, avg_speed_mph }: ScoredWindow): number | null {
  return level === "unknown" || ratio === null ? avg_speed_mph : ratio * free_flow_mph;
}
