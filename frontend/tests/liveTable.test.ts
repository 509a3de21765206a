import { describe, expect, it } from "vitest";
import { LiveTable } from "../src/map/liveTable";
import { PLACES, placeFields } from "../src/map/rows";

const row = (id: string, level: string, vehicles: number): unknown[] => [id, level, level, vehicles, "", "", "", "", "", ""];

async function table(rows: unknown[][]): Promise<LiveTable> {
  const made = new LiveTable(...([{ info: { id: PLACES, label: PLACES }, color: [0, 0, 0] }] as never[]));
  await made.importData({ data: { fields: placeFields(15, "h3", "mph"), rows } });
  return made;
}

describe("LiveTable", () => {
  it("lets a field that a layer took earlier read the rows of now", async () => {
    const before = await table([row("a", "low", 1)]);
    const taken = { ...before.fields[1]! };
    await before.update({ rows: [row("a", "high", 2), row("b", "medium", 3)] });
    expect(taken.valueAccessor({ index: 0 })).toBe("high");
    expect(taken.valueAccessor({ index: 1 })).toBe("medium");
  });

  it("starts empty and gets its first row later", async () => {
    const before = await table([]);
    const taken = before.fields[3]!;
    await before.update({ rows: [row("a", "low", 7)] });
    expect(taken.valueAccessor({ index: 0 })).toBe(7);
  });

  it("names its fields anew when people read other units, and not otherwise", async () => {
    const before = await table([row("a", "low", 1)]);
    const speed = placeFields(15, "h3", "km/h").findIndex(({ name }) => name === "speed");
    const metric = await before.update({ fields: placeFields(15, "h3", "km/h"), rows: [] });
    expect(metric.fields[speed]!.displayName).toContain("km/h");
    expect((await metric.update({ rows: [] })).fields[speed]!.displayName).toContain("km/h");
  });

  it("is a new table with new indexes after an update, so that Kepler sees the change", async () => {
    const before = await table([row("a", "low", 1)]);
    const after = await before.update({ rows: [row("a", "low", 1), row("b", "low", 1)] });
    expect(after).not.toBe(before);
    expect((after as unknown as { allIndexes: number[] }).allIndexes).toEqual([0, 1]);
  });
});
