import { describe, expect, it } from "vitest";
import type { ScoredWindow } from "../src/data/messages";
import { basemapStyle } from "../src/map/basemap";
import { niceTop, placeFields, placeRow, selectionRows } from "../src/map/rows";
import { busyBounds, viewOf } from "../src/map/view";

const cell = {
  cell_id: "882a100f3dfffff",
  vehicle_count: 12,
  avg_speed_mph: 9.26,
  free_flow_mph: 20,
  ratio: 0.99,
  level: "high",
  forecast: { level: "medium", probability_high: 0.41 },
} as ScoredWindow;

describe("placeRow", () => {
  const fields = placeFields(15).map((field) => field.name);
  const value = (row: unknown[], name: string): unknown => row[fields.indexOf(name)];

  it("takes the level as it is said, never from the ratio", () => {
    const row = placeRow(cell, () => "Old Town");
    expect(row).toHaveLength(fields.length);
    expect(value(row, "level")).toBe("high");
    expect(value(row, "forecast_level")).toBe("medium");
    expect(value(row, "chance")).toBe("41%");
    expect(value(row, "speed")).toBe("9.3");
  });

  it("shows a place without forecast or speed as unknown", () => {
    const row = placeRow({ ...cell, level: "unknown", forecast: null, avg_speed_mph: null }, () => "");
    expect(value(row, "forecast_level")).toBe("unknown");
    expect(value(row, "speed")).toBe("–");
    expect(value(row, "chance")).toBe("–");
  });

  it("selects one place or none", () => {
    expect(selectionRows(cell, () => "")).toHaveLength(1);
    expect(selectionRows(undefined, () => "")).toEqual([]);
  });
});

describe("niceTop", () => {
  it("is the next of 10, 20, 50, 100", () => {
    expect([0, 10, 11, 21, 51, 900].map(niceTop)).toEqual([10, 10, 20, 50, 100, 1000]);
  });
});

describe("the first view", () => {
  const bounds = { south: 40.49, west: -74.27, north: 40.93, east: -73.68 };

  it("looks at the whole city while there are few vehicles", () => {
    expect(busyBounds([{ latitude: 1, longitude: 1 }], bounds)).toBe(bounds);
  });

  it("looks at where the vehicles are, but for the farthest", () => {
    const points = Array.from({ length: 100 }, (_, i) => ({ latitude: 40.7 + i / 1000, longitude: -74 + i / 1000 }));
    points[99] = { latitude: 45, longitude: -60 };
    const box = busyBounds(points, bounds);
    expect(box.north).toBeLessThan(40.81);
    expect(box.east).toBeLessThan(-73.89);
  });

  it("zooms further in on a larger screen", () => {
    expect(viewOf(bounds, 1600, 1000).zoom).toBeGreaterThan(viewOf(bounds, 400, 300).zoom);
    expect(viewOf(bounds, 800, 600).latitude).toBeCloseTo(40.71);
  });
});

describe("basemapStyle", () => {
  it("names no address of another host", () => {
    const outline = { type: "FeatureCollection" as const, features: [] };
    for (const style of [basemapStyle(null), basemapStyle(outline)]) expect(JSON.stringify(style)).not.toMatch(/https?:|mapbox:/);
  });

  it("is a plain background without an outline", () => {
    expect((basemapStyle(null)["layers"] as unknown[]).length).toBe(1);
  });
});
