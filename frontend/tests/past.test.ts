import { describe, expect, it } from "vitest";
import type { Level, Prediction, ScoredWindow, SeriesPoint } from "../src/data/messages";
import { nearestEnd, played, standsFor, stepped, type Past } from "../src/data/moment";
import { cityAt, errorLevel, outcomesOf } from "../src/data/past";

const MINUTE = 60_000;
const ten = Date.parse("2026-02-03T10:00:00Z");
const standing: Past = { at: ten, playing: false, rate: 60 };

describe("steps in time", () => {
  it("from live go back from the newest window's end", () => {
    expect(stepped(null, -1, 2, ten)).toEqual({ ...standing, at: ten - 2 * MINUTE });
  });

  it("never pass the newest", () => {
    expect(stepped(standing, 1, 2, ten).at).toBe(ten);
  });

  it("stop a playback", () => {
    expect(stepped({ ...standing, playing: true }, -1, 2, ten).playing).toBe(false);
  });

  it("of a moment between windows go by windows", () => {
    expect(stepped({ ...standing, at: ten + MINUTE }, -1, 2, ten + 60 * MINUTE).at).toBe(ten - 2 * MINUTE);
  });
});

describe("a click on the chart", () => {
  it("is for the window whose end is nearest", () => {
    expect([nearestEnd(ten + 59_000, 2), nearestEnd(ten + 61_000, 2)]).toEqual([ten, ten + 2 * MINUTE]);
  });
});

describe("a playback", () => {
  it("goes on by a window and is live again at the end", () => {
    const playing = { ...standing, playing: true };
    expect(played(playing, 2, ten + 10 * MINUTE)).toEqual({ ...playing, at: ten + 2 * MINUTE });
    expect(played(playing, 2, ten + 2 * MINUTE)).toBeNull();
  });

  it("shows 2 minutes in 2 seconds at sixty times the speed", () => {
    expect([standsFor(60, 2), standsFor(1, 2)]).toEqual([2_000, 120_000]);
  });
});

const cell = (cell_id: string, level: Level): ScoredWindow => ({ cell_id, level }) as ScoredWindow;
const foretold = (cell_id: string, level_now: Level, level: Level, came: Level | null): Prediction =>
  ({ cell_id, level_now, level, outcome: came && { level: came, avg_speed_mph: 8 }, model_version: "3" }) as Prediction;
const point = (time: string, values: object): SeriesPoint =>
  ({ time_utc: `2026-02-03T${time}:00Z`, avg_speed_mph: null, vehicle_count: null, share_high: null, forecast_share_high: null, ratio: null, ...values }) as SeriesPoint;

describe("the city of a past moment", () => {
  const lengths = { windowMinutes: 2, leadMinutes: 16 };
  const series = [
    point("09:58", { avg_speed_mph: 14, vehicle_count: 90, share_high: 0.2, forecast_share_high: 0.9 }),
    point("10:14", { share_high: 0.4, forecast_share_high: 0.3 }),
  ];
  const predictions = [
    foretold("a", "low", "high", "high"),
    foretold("b", "low", "low", "medium"),
    foretold("c", "medium", "medium", "medium"),
    foretold("d", "unknown", "low", "low"),
    foretold("e", "low", "low", "unknown"),
    foretold("f", "low", "low", null),
  ];
  const { cells, summary } = cityAt(ten, [cell("a", "low"), cell("z", "unknown")], predictions, series, lengths);

  it("has the figures of the window that ended then, and the share that was foretold from it", () => {
    expect([...cells.keys()]).toEqual(["a", "z"]);
    expect(summary).toMatchObject({
      data_time_utc: "2026-02-03T10:00:00.000Z",
      vehicle_count: 90,
      avg_speed_mph: 14,
      congested_share: 0.2,
      forecast_congested_share: 0.3,
      cells_known: 1,
      cells_unknown: 1,
      events_per_second: null,
      model_version: "3",
    });
  });

  it("judges the forecasts whose level before, foretold and after are known", () => {
    expect(summary?.scored_forecasts).toBe(3);
    expect(summary?.live_accuracy).toBeCloseTo(2 / 3);
    expect(summary?.persistence_accuracy).toBeCloseTo(1 / 3);
  });

  it("says nothing where nothing is known", () => {
    const empty = cityAt(ten, [], [], [], lengths).summary;
    expect([empty?.vehicle_count, empty?.live_accuracy, empty?.congested_share, empty?.model_version]).toEqual([null, null, null, null]);
  });

  it("knows what came, where it has come", () => {
    expect(outcomesOf(predictions).get("b")?.level).toBe("medium");
    expect(outcomesOf(predictions).has("f")).toBe(false);
  });
});

describe("the error of a forecast", () => {
  it.each([
    ["low", "low", "low"],
    ["low", "medium", "medium"],
    ["high", "low", "high"],
    ["unknown", "low", "unknown"],
    ["low", undefined, "unknown"],
  ] as const)("of %s when %s came is drawn as %s", (level, came, drawn) => {
    expect(errorLevel(level, came)).toBe(drawn);
  });
});
