/** Which places belong into the list of hotspots. */
import type { ScoredWindow } from "./messages";

/** Whether a place is slow, or is expected to be: one that is free and stays so is no hotspot, whatever its rank. */
export function losesTime({ level, forecast }: Pick<ScoredWindow, "level" | "forecast">): boolean {
  return [level, forecast?.level].some((each) => each === "medium" || each === "high");
}
