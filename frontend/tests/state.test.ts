import { describe, expect, it } from "vitest";
import type { CitySummary, MapVehicle, ScoredWindow, Snapshot, Update } from "../src/data/messages";
import { applyMessage, EMPTY_CITY, parseMessage, type CityState } from "../src/data/state";

const summary = { data_time_utc: "2026-03-03T17:00:00Z", vehicle_count: 2 } as CitySummary;
const cell = (cell_id: string, vehicle_count: number): ScoredWindow => ({ cell_id, vehicle_count }) as ScoredWindow;
const vehicle = (vehicle_id: string, latitude = 40.7): MapVehicle => ({ vehicle_id, latitude }) as MapVehicle;
const snapshot = (sequence: number): Snapshot => ({
  type: "snapshot",
  schema_version: 1,
  sequence,
  sent_utc: "2026-03-03T17:00:01Z",
  cells: [cell("a", 3), cell("b", 5)],
  vehicles: [vehicle("v1"), vehicle("v2")],
  summary,
});
const update = (sequence: number, change: Partial<Update> = {}): Update => ({
  ...snapshot(sequence),
  cells: [],
  vehicles: [],
  ...change,
  type: "update",
  vehicles_gone: change.vehicles_gone ?? [],
});

function applied(city: CityState, ...messages: (Snapshot | Update)[]): CityState {
  return messages.reduce((state, message) => {
    const outcome = applyMessage(state, message);
    if (outcome.kind !== "applied") throw new Error(outcome.kind);
    return outcome.city;
  }, city);
}

describe("applyMessage", () => {
  it("takes the whole state from a snapshot", () => {
    const city = applied(EMPTY_CITY, snapshot(7));
    expect(city.sequence).toBe(7);
    expect([...city.cells.keys()]).toEqual(["a", "b"]);
    expect([...city.vehicles.keys()]).toEqual(["v1", "v2"]);
    expect(city.summary?.vehicle_count).toBe(2);
  });

  it("changes only what an update names", () => {
    const before = applied(EMPTY_CITY, snapshot(7));
    const city = applied(before, update(8, { cells: [cell("a", 9)], vehicles: [vehicle("v2", 41), vehicle("v3")], vehicles_gone: ["v1"] }));
    expect(city.cells.get("a")?.vehicle_count).toBe(9);
    expect(city.cells.get("b")?.vehicle_count).toBe(5);
    expect([...city.vehicles.keys()]).toEqual(["v2", "v3"]);
    expect(city.vehicles.get("v2")?.latitude).toBe(41);
  });

  it("leaves the state before it untouched", () => {
    const before = applied(EMPTY_CITY, snapshot(7));
    applied(before, update(8, { cells: [cell("a", 9)], vehicles_gone: ["v1"] }));
    expect(before.cells.get("a")?.vehicle_count).toBe(3);
    expect(before.vehicles.has("v1")).toBe(true);
  });

  it("sees a gap when a sequence number is skipped", () => {
    expect(applyMessage(applied(EMPTY_CITY, snapshot(7)), update(9)).kind).toBe("gap");
  });

  it("sees a gap when an update comes before any snapshot", () => {
    expect(applyMessage(EMPTY_CITY, update(1)).kind).toBe("gap");
  });

  it("ignores an update that the snapshot already holds", () => {
    expect(applyMessage(applied(EMPTY_CITY, snapshot(7)), update(7)).kind).toBe("ignored");
  });

  it("starts anew from a snapshot with a lower sequence, after the server restarted", () => {
    expect(applied(applied(EMPTY_CITY, snapshot(70)), snapshot(1)).sequence).toBe(1);
  });

  it("refuses a newer schema", () => {
    expect(applyMessage(EMPTY_CITY, { ...snapshot(1), schema_version: 2 }).kind).toBe("outdated");
  });
});

describe("parseMessage", () => {
  it("reads a snapshot", () => {
    expect(parseMessage(JSON.stringify(snapshot(3)))?.sequence).toBe(3);
  });

  it.each(["", "{", "null", "3", '{"type":"hello"}', '{"type":"update","sequence":"1","cells":[],"vehicles":[]}'])(
    "takes %j for none of ours",
    (text) => expect(parseMessage(text)).toBeNull(),
  );
});
