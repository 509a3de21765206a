import { describe, expect, it } from "vitest";
import type { CitySummary, SeriesPoint } from "../src/data/messages";
import { congestionColumns, historyPath, recent, sparkline } from "../src/data/series";

const point = (time_utc: string, share_high: number | null, forecast_share_high: number | null): SeriesPoint =>
  ({ time_utc, share_high, forecast_share_high }) as SeriesPoint;
const at = (time: string): number => Date.parse(time) / 1000;

describe("congestionColumns", () => {
  const lengths = { windowMinutes: 2, leadMinutes: 16 };

  it("sets the live value at its window's start and the forecast at the start of the window it is for", () => {
    const summary = { data_time_utc: "2026-03-03T17:04:00Z", congested_share: 0.2, forecast_congested_share: 0.3 } as CitySummary;
    expect(congestionColumns([point("2026-03-03T17:00:00Z", 0.1, 0.15)], summary, lengths)).toEqual([
      [at("2026-03-03T17:00:00Z"), at("2026-03-03T17:02:00Z"), at("2026-03-03T17:18:00Z")],
      [0.1, 0.2, null],
      [0.15, null, 0.3],
    ]);
  });

  it("puts points in order of time and drops times it can't read", () => {
    const points = [point("2026-03-03T17:02:00Z", 0.2, null), point("?", 0.9, 0.9), point("2026-03-03T17:00:00Z", 0.1, null)];
    expect(congestionColumns(points, null, lengths)[1]).toEqual([0.1, 0.2]);
  });
});

describe("historyPath", () => {
  it("asks for whole five minutes up to the last forecast", () => {
    expect(historyPath("2026-03-03T17:02:00Z", 6, 16, 2)).toBe(
      "/api/historical?from=2026-03-03T11%3A25%3A00Z&to=2026-03-03T17%3A25%3A00Z&step_minutes=2",
    );
  });

  it("asks nothing before there is data", () => {
    expect(historyPath(null, 6, 16, 2)).toBeNull();
  });
});

describe("sparkline", () => {
  it("spans the box from the least to the largest value", () => {
    expect(sparkline([1, 3, 2], 60, 20)).toBe("M0.0 20.0L30.0 0.0L60.0 10.0");
  });

  it("is a line in the middle for equal values and nothing for one", () => {
    expect(sparkline([4, 4], 10, 20)).toBe("M0.0 10.0L10.0 10.0");
    expect(sparkline([4], 10, 20)).toBe("");
  });

  it("takes the newest values that are there", () => {
    expect(recent([point("a", 1, null), point("b", null, null), point("c", 3, null), point("d", 4, null)], (p) => p.share_high, 2)).toEqual([3, 4]);
  });
});
