import { describe, expect, it } from "vitest";
import { isFiltering, NO_FILTER, passes, summaryOf, toggled } from "../src/data/filter";
import type { CitySummary, ScoredWindow } from "../src/data/messages";
import { nearest, pointsOf } from "../src/data/scatter";
import { measuresIn } from "../src/data/units";

const cell = { cell_id: "882a100f3dfffff", vehicle_count: 4, avg_speed_mph: 9, free_flow_mph: 20, ratio: 0.45, level: "high", forecast: null } as ScoredWindow;
const nameOf = (): string => "Old Town";

describe("a filter", () => {
  it("lets everything through until somebody chooses", () => {
    expect(isFiltering(NO_FILTER)).toBe(false);
    expect(passes(NO_FILTER, { ...cell, avg_speed_mph: null }, "unknown", nameOf)).toBe(true);
  });

  it.each([
    [{ text: "old t" }, true],
    [{ text: "F3DF" }, true],
    [{ text: "harbour" }, false],
    [{ hidden: ["high"] as const }, false],
    [{ hidden: ["low"] as const }, true],
    [{ slowest: 9 }, true],
    [{ slowest: 9.1 }, false],
    [{ fastest: 8.9 }, false],
    [{ fewestVehicles: 4 }, true],
    [{ fewestVehicles: 5 }, false],
  ])("%j: %s", (part, expected) => {
    expect(passes({ ...NO_FILTER, ...part }, cell, "high", nameOf)).toBe(expected);
  });

  it("leaves a place without a speed out of any range of speeds", () => {
    expect(passes({ ...NO_FILTER, fastest: 100 }, { ...cell, level: "unknown", avg_speed_mph: null }, "unknown", nameOf)).toBe(false);
  });

  it("hides a level and shows it again", () => {
    const hidden = toggled(NO_FILTER, "low");
    expect(hidden.hidden).toEqual(["low"]);
    expect(toggled(hidden, "low")).toEqual(NO_FILTER);
  });
});

describe("the shares of chosen places", () => {
  it("are of the known ones, and the forecast's is the mean probability", () => {
    const chance = (probability_high: number) => ({ ...cell, forecast: { probability_high, level: "low" } }) as ScoredWindow;
    const cells = [chance(0.2), { ...chance(0.6), level: "low" as const }, { ...chance(1), level: "unknown" as const }];
    const summary = summaryOf(cells, { congested_share: 0.9, vehicle_count: 7 } as CitySummary);
    expect(summary.congested_share).toBe(0.5);
    expect(summary.forecast_congested_share).toBeCloseTo(0.4);
    expect(summary.vehicle_count).toBe(7);
  });
});

describe("points of places", () => {
  const foretold = { ...cell, forecast: { expected_speed_mph: 10 } } as ScoredWindow;

  it("are of those with a speed now and one expected", () => {
    expect(pointsOf([cell, foretold, { ...foretold, level: "unknown" }]).map(({ now, then }) => [now, then])).toEqual([[0.45, 0.5]]);
  });

  it("are found by a click near them alone", () => {
    const dots = pointsOf([foretold, { ...foretold, cell_id: "b", ratio: 0.9 }]);
    const place = ({ now }: { now: number }): [number, number] => [now * 100, 0];
    expect(nearest(dots, place, [88, 3], 14)?.id).toBe("b");
    expect(nearest(dots, place, [68, 0], 14)).toBeNull();
  });
});

describe("units", () => {
  it("convert what people read, and back", () => {
    const metric = measuresIn("metric");
    expect([metric.speed(10), metric.speedUnit, metric.distance(2), metric.speed(null)]).toEqual(["16.1", "km/h", "3.2 km", "–"]);
    expect(metric.mph(metric.shown(37))).toBeCloseTo(37);
    expect(measuresIn("imperial").speed(10)).toBe("10.0");
  });
});
