import { MAP_LAYERS } from "../src/data/link";
import { covers } from "../src/data/places";
import { hullOutline } from "../src/map/hull";
import { measuresIn } from "../src/data/units";
import { describe, expect, it } from "vitest";
import type { Level, ScoredWindow } from "../src/data/messages";
import { basemapStyle } from "../src/map/basemap";
import { mapConfig } from "../src/map/config";
import { inUnits, niceTop, placeFields, placeRows, placeTooltip, HEADING, PLACES, SELECTION, vehicleFields, vehicleRow, VEHICLES, withOutcome } from "../src/map/rows";
import { EMPTY_CITY } from "../src/data/state";
import { placed } from "../src/map/Popover";
import { busyBounds, cityBounds, viewOf } from "../src/map/view";

describe("withOutcome", () => {
  it("adds what came to the tooltips of places, once and only of the past, and keeps what people chose", () => {
    const chosen = { [PLACES]: [{ name: "speed", format: ".0f" }], [VEHICLES]: [{ name: "vehicle_id", format: null }] };
    const past = withOutcome(withOutcome(chosen, true), true);
    expect(past).toEqual({ ...chosen, [PLACES]: [...chosen[PLACES]!, { name: "outcome_name", format: null }] });
    expect(withOutcome(past, false)).toEqual(chosen);
  });
});

describe("placed", () => {
  const [box, map] = [
    { width: 200, height: 250 },
    { width: 800, height: 400 },
  ];

  it("is right of the pointer and below it where there is room", () => {
    expect(placed(100, 20, box, map)).toEqual({ left: 118, top: 38 });
  });

  it.each([
    [790, 5],
    [400, 395],
    [0, 0],
    [800, 400],
  ])("stays within the map at %i, %i", (x, y) => {
    const { left, top } = placed(x, y, box, map);
    expect(Math.min(left, top, map.width - left - box.width, map.height - top - box.height)).toBeGreaterThanOrEqual(8);
    expect(left > x || left + box.width < x, "the pointer is not covered").toBe(true);
  });
});

describe("vehicleRow", () => {
  it("holds the heading where the layer looks for it, and speeds in the unit that its field names", () => {
    const metric = measuresIn("metric");
    const row = vehicleRow({ vehicle_id: "a", timestamp_utc: "", latitude: 40, longitude: -74, speed_mph: 10, heading_degrees: 270 }, metric);
    expect(row[HEADING]).toBe(270);
    expect(row[vehicleFields("km/h").findIndex(({ displayName }) => displayName === "Speed (km/h)")]).toBe(16.1);
  });
});

describe("inUnits", () => {
  const [imperial, metric] = [measuresIn("imperial"), measuresIn("metric")];

  it("keeps what a filter of speeds lets through", () => {
    const filter = { name: ["speed"], value: [10, 20], domain: [0, 100] };
    const { value, domain } = inUnits(filter, imperial, metric) as { value: number[]; domain: number[] };
    expect([...value, ...domain].map((each) => Math.round(each * 10) / 10)).toEqual([16.1, 32.2, 0, 160.9]);
    expect(inUnits({ ...filter, value, domain }, metric, imperial).value).toEqual([10, 20]);
  });

  it("leaves other filters as they are", () => {
    const filter = { name: ["vehicle_count"], value: [10, 20], domain: [0, 100] };
    expect(inUnits(filter, imperial, metric)).toBe(filter);
  });
});

interface PlaceLayer {
  config: { dataId: string; columns: Record<string, string> };
  visualChannels: { colorField: { name: string }; sizeField?: { name: string } };
}

const cell = {
  cell_id: "882a100f3dfffff",
  vehicle_count: 12,
  avg_speed_mph: 9.26,
  free_flow_mph: 20,
  ratio: 0.99,
  level: "high",
  forecast: { level: "medium", probability_high: 0.41 },
} as ScoredWindow;

const measures = measuresIn("imperial");

describe("placeRows", () => {
  const fields = placeFields(15, "h3", "mph").map((field) => field.name);
  const value = (row: unknown[], name: string): unknown => row[fields.indexOf(name)];

  it("takes the level as it is said, never from the ratio", () => {
    const [row = []] = placeRows([cell], () => "Old Town", "h3", {}, measures);
    expect(row).toHaveLength(fields.length);
    expect(value(row, "level")).toBe("high");
    expect(value(row, "forecast_level")).toBe("medium");
    expect(value(row, "chance")).toBe(41);
    expect(value(row, "speed")).toBe(19.8);
  });

  it("shows a place without forecast or speed as unknown", () => {
    const [row = []] = placeRows([{ ...cell, level: "unknown", forecast: null, avg_speed_mph: null, ratio: null }], () => "", "h3", {}, measures);
    expect(value(row, "forecast_level")).toBe("unknown");
    expect(value(row, "speed")).toBeNull();
    expect(value(row, "chance")).toBeNull();
  });

  it("puts a sensor where it stands, and leaves out one of which nobody knows", () => {
    const names = placeFields(5, "sensor", "mph").map((field) => field.name);
    const loops = ["773869", "767541"].map((cell_id) => ({ ...cell, cell_id }));
    const rows = placeRows(loops, () => "", "sensor", { "767541": { latitude: 34.11, longitude: -118.23 } }, measures);
    expect(rows).toHaveLength(1);
    expect(rows[0]).toHaveLength(names.length);
    expect([rows[0]?.[0], rows[0]?.[names.indexOf("latitude")], rows[0]?.[names.indexOf("longitude")]]).toEqual(["767541", 34.11, -118.23]);
  });
});

const view = { latitude: 0, longitude: 0, zoom: 10, pitch: 0, bearing: 0 };

describe("mapConfig", () => {
  it.each(["h3", "sensor"] as const)("names only fields that the rows of %s have", (kind) => {
    const fields = new Set(placeFields(15, kind, "mph").map((field) => field.name));
    const { layers } = (mapConfig(view, 15, "outline", kind) as { config: { visState: { layers: PlaceLayer[] } } }).config.visState;
    const ofPlaces = layers.filter((layer) => [PLACES, SELECTION].includes(layer.config.dataId));
    expect(ofPlaces).toHaveLength(MAP_LAYERS.length + 1);
    for (const { config, visualChannels } of ofPlaces) {
      const named = [...Object.values(config.columns), visualChannels.colorField.name, visualChannels.sizeField?.name ?? "level"];
      expect(named.filter((name) => !fields.has(name))).toEqual([]);
    }
    expect(placeTooltip(kind, true).filter((name) => !fields.has(name))).toEqual([]);
  });
});

describe("the layers", () => {
  it.each(MAP_LAYERS)("show %s alone", (shown) => {
    const { layers } = (mapConfig(view, 15, "outline", "h3", shown) as { config: { visState: { layers: { id: string; config: { isVisible: boolean } }[] } } })
      .config.visState;
    expect(layers.filter(({ id, config }) => config.isVisible && (MAP_LAYERS as readonly string[]).includes(id)).map(({ id }) => id)).toEqual([shown]);
  });
});

describe("hullOutline", () => {
  const at = (longitude: number, latitude: number) => ({ longitude, latitude });

  it("holds every sensor", () => {
    const sensors = [at(0, 0), at(4, 0), at(4, 3), at(0, 3), at(2, 1), at(1, 2)];
    const [feature] = hullOutline(sensors)!.features;
    expect((feature!.geometry!.coordinates as [number, number][][])[0]).toHaveLength(5);
    expect(sensors.every((sensor) => covers(feature!, sensor))).toBe(true);
  });

  it.each([[[]], [[at(1, 1), at(2, 2)]], [[at(0, 0), at(1, 1), at(2, 2)]]])("needs an area: %j has none", (sensors) => {
    expect(hullOutline(sensors)).toBeNull();
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

describe("where the city is", () => {
  const bounds = { south: 40, west: -75, north: 41, east: -73 };
  const ids = Array.from({ length: 40 }, (_, i) => String(i));
  const city = (levelOf: (index: number) => Level) =>
    ({ ...EMPTY_CITY, cells: new Map(ids.map((id, index) => [id, { ...cell, cell_id: id, level: levelOf(index) }])) });
  const center = (id: string) => ({ latitude: 40.5 + Number(id) / 1000, longitude: -74 + Number(id) / 1000 });

  it("is where its places are while no vehicle is known", () => {
    expect(cityBounds(city(() => "low"), center, bounds).south).toBeCloseTo(40.502);
    expect(cityBounds(city(() => "low"), undefined, bounds)).toBe(bounds);
  });

  it("is where levels are known, unless those are few", () => {
    expect(cityBounds(city((index) => (index < 20 ? "unknown" : "high")), center, bounds).south).toBeCloseTo(40.521);
    expect(cityBounds(city((index) => (index < 35 ? "unknown" : "high")), center, bounds).south).toBeCloseTo(40.502);
  });
});

describe("a view of sensors", () => {
  it("looks straight down: circles have no height", () => {
    const view = viewOf({ south: 34, west: -118.5, north: 34.1, east: -118.1 }, 800, 600, false);
    expect([view.pitch, view.bearing]).toEqual([0, 0]);
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
