import { describe, expect, it } from "vitest";
import type { ScoredWindow } from "../src/data/messages";
import { speedNow } from "../src/data/speed";

const cell = { level: "low", ratio: 0.8, free_flow_mph: 25, avg_speed_mph: 7 } as ScoredWindow;

describe("a place's speed", () => {
  it("is the one that its level was made from, not that of the newest window's only vehicle", () => {
    expect(speedNow(cell)).toBe(20);
  });

  it("is there while nobody has driven in the newest window", () => {
    expect(speedNow({ ...cell, avg_speed_mph: null })).toBe(20);
  });

  it("is the window's own where the level is not known", () => {
    expect(speedNow({ ...cell, level: "unknown" })).toBe(7);
    expect(speedNow({ ...cell, ratio: null, avg_speed_mph: null })).toBeNull();
  });
});
