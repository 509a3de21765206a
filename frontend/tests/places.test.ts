import { measuresIn } from "../src/data/units";
import { describe, expect, it } from "vitest";
import type { Outline } from "../src/data/messages";
import { covers, pointNamer, shortId, whereabouts } from "../src/data/places";

const bounds = { south: 40, west: -75, north: 41, east: -74 };
const square = [[-74.6, 40.4], [-74.4, 40.4], [-74.4, 40.6], [-74.6, 40.6], [-74.6, 40.4]];
const hole = [[-74.52, 40.48], [-74.48, 40.48], [-74.48, 40.52], [-74.52, 40.52], [-74.52, 40.48]];
const zone = (properties: Record<string, unknown>): Outline => ({
  type: "FeatureCollection",
  features: [{ type: "Feature", properties, geometry: { type: "Polygon", coordinates: [square, hole] } }],
});

describe("whereabouts", () => {
  it("names distance and direction from the middle", () => {
    expect(whereabouts({ latitude: 40.6, longitude: -74.5 }, bounds, measuresIn("imperial"))).toBe("6.9 mi N of centre");
    expect(whereabouts({ latitude: 40.5, longitude: -74.6 }, bounds, measuresIn("imperial"))).toBe("5.3 mi W of centre");
    expect(whereabouts({ latitude: 40.5, longitude: -74.5 }, bounds, measuresIn("imperial"))).toBe("City centre");
  });
});

describe("pointNamer", () => {
  const inside = { latitude: 40.45, longitude: -74.55 };

  it("takes the zone's name where the outline has one", () => {
    expect(pointNamer(bounds, zone({ zone: "Old Town" }), measuresIn("imperial"))(inside)).toBe("Old Town");
    expect(pointNamer(bounds, zone({ name: "Old Town" }), measuresIn("imperial"))(inside)).toBe("Old Town");
  });

  it("says where the place lies outside every zone and without names", () => {
    expect(pointNamer(bounds, zone({ zone: "Old Town" }), measuresIn("imperial"))({ latitude: 40.9, longitude: -74.5 })).toContain("N of centre");
    expect(pointNamer(bounds, zone({ zone: 4 }), measuresIn("imperial"))(inside)).toContain("of centre");
    expect(pointNamer(bounds, null, measuresIn("imperial"))(inside)).toContain("of centre");
  });
});

describe("covers", () => {
  it("leaves out holes and kinds without an area", () => {
    const [feature] = zone({}).features;
    expect(covers(feature!, { latitude: 40.45, longitude: -74.55 })).toBe(true);
    expect(covers(feature!, { latitude: 40.5, longitude: -74.5 })).toBe(false);
    expect(covers({ ...feature!, geometry: { type: "LineString", coordinates: square } }, { latitude: 40.45, longitude: -74.55 })).toBe(false);
  });
});

describe("shortId", () => {
  it("keeps what differs between neighbours, and a sensor's whole id", () => {
    expect(shortId("882a100f3dfffff")).toBe("00f3d");
    expect(shortId("400001")).toBe("400001");
  });
});
