import { describe, expect, it } from "vitest";
import { losesTime } from "../src/data/hotspots";
import type { Forecast, Level } from "../src/data/messages";

const place = (level: Level, then: Level | null) => ({ level, forecast: then && ({ level: then } as Forecast) });

describe("a hotspot", () => {
  it.each([["medium", "low"], ["high", null], ["low", "high"], ["unknown", "medium"]] as const)("is a place that is or will be slow (%s, then %s)", (now, then) => {
    expect(losesTime(place(now, then))).toBe(true);
  });

  it.each([["low", "low"], ["low", null], ["unknown", "unknown"]] as const)("is none that is free and stays so, or of which nothing is known (%s, then %s)", (now, then) => {
    expect(losesTime(place(now, then))).toBe(false);
  });
});
