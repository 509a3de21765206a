import { describe, expect, it } from "vitest";
import { FASTEST, speedsOf } from "../src/data/replay";

describe("speeds to choose from", () => {
  it("hold the present one at its place", () => {
    expect(speedsOf({ speed: 3, moved_to_now: true })).toEqual([1, 2, 3, 5, 10, 30, 60]);
  });
  it("offer the fastest where events keep their recorded times, and where it is the present one", () => {
    expect(speedsOf({ speed: 2, moved_to_now: false }).at(-1)).toBe(FASTEST);
    expect(speedsOf({ speed: null, moved_to_now: true }).at(-1)).toBe(FASTEST);
    expect(speedsOf({ speed: 2, moved_to_now: true })).not.toContain(FASTEST);
  });
});
