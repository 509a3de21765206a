import { describe, expect, it } from "vitest";
import type { Accuracy, CitySummary, SeriesPoint } from "../src/data/messages";
import { accuracyUntil, congestionColumns, historyPath, recent, sparkline } from "../src/data/series";

const point = (time_utc: string, share_high: number | null, forecast_share_high: number | null): SeriesPoint =>
  ({ time_utc, share_high, forecast_share_high }) as SeriesPoint;
const at = (time: string): number => Date.parse(time) / 1000;

describe("congestionColumns", () => {
  const lengths = { windowMinutes: 2, leadMinutes: 16 };

  it("sets values at the end of their window, as the clocks on the page have it, and the forecast at the end of the window it is for", () => {
    const summary = { data_time_utc: "2026-03-03T17:04:00Z", congested_share: 0.2, forecast_congested_share: 0.3 } as CitySummary;
    expect(congestionColumns([point("2026-03-03T17:00:00Z", 0.1, 0.15)], summary, lengths)).toEqual([
      [at("2026-03-03T17:02:00Z"), at("2026-03-03T17:04:00Z"), at("2026-03-03T17:20:00Z")],
      [0.1, 0.2, null],
      [0.15, null, 0.3],
    ]);
  });

  it("draws through the window before the newest while the history has it not yet, and breaks where data are missing", () => {
    const summary = { data_time_utc: "2026-03-03T17:08:00Z", congested_share: 0.2, forecast_congested_share: null } as CitySummary;
    const points = [point("2026-03-03T17:00:00Z", 0.1, 0.1), point("2026-03-03T17:02:00Z", null, 0.1), point("2026-03-03T17:04:00Z", null, 0.1)];
    expect(congestionColumns(points, summary, lengths)[1]).toEqual([0.1, null, undefined, 0.2]);
  });

  it("puts points in order of time and drops times it can't read", () => {
    const points = [point("2026-03-03T17:02:00Z", 0.2, null), point("?", 0.9, 0.9), point("2026-03-03T17:00:00Z", 0.1, null)];
    expect(congestionColumns(points, null, lengths)[1]).toEqual([0.1, 0.2]);
  });
});

describe("accuracyUntil", () => {
  const step = (time: string, accuracy: number): object => ({ time_utc: `2026-03-03T${time}:00Z`, accuracy });
  const accuracy = { step_minutes: 15, series: [step("16:30", 0.7), step("16:45", 0.8)] } as Accuracy;

  it("is all there is while live", () => {
    expect(accuracyUntil(accuracy, null)).toEqual([0.7, 0.8]);
  });

  it("ends with the last step that was over at a past moment", () => {
    expect(accuracyUntil(accuracy, "2026-03-03T16:58:00Z")).toEqual([0.7]);
    expect(accuracyUntil(accuracy, "2026-03-03T17:00:00Z")).toEqual([0.7, 0.8]);
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
