import { describe, expect, it } from "vitest";
import { bytes, clock, count, dateAndClock, percent, points, seconds, shortCount } from "../src/data/format";

describe("a value that is not there", () => {
  it.each([count, shortCount, percent, points, seconds, bytes])("is a dash, never a zero (%o)", (format) => {
    expect(format(null)).toBe("–");
    expect(format(undefined)).toBe("–");
    expect(format(Number.NaN)).toBe("–");
  });
});

describe("numbers", () => {
  it("groups thousands and shortens large counts", () => {
    expect(count(1234)).toBe("1,234");
    expect(shortCount(9_999)).toBe("9,999");
    expect(shortCount(61_402_113)).toBe("61.4M");
  });

  it("writes shares as percent and their difference in points with its sign", () => {
    expect(percent(0.1234, 1)).toBe("12.3%");
    expect(points(0.042)).toBe("+4.2");
    expect(points(-0.042)).toBe("−4.2");
    expect(points(0.0001)).toBe("±0.0");
  });

  it("chooses the unit of a duration", () => {
    expect(seconds(0.25)).toBe("250 ms");
    expect(seconds(1.44)).toBe("1.4 s");
    expect(seconds(600)).toBe("10 min");
  });

  it("chooses the unit of a size", () => {
    expect(bytes(0)).toBe("0 B");
    expect(bytes(2_391_221_004)).toBe("2.4 GB");
    expect(bytes(999_600)).toBe("1.0 MB");
  });
});

describe("times", () => {
  it("are in the city's zone, across midnight", () => {
    expect(clock("2025-12-06T04:30:00Z", "America/New_York")).toBe("23:30");
    expect(dateAndClock("2025-12-06T04:30:00Z", "America/New_York")).toBe("Fri, 5 Dec 2025, 23:30");
  });

  it("are a dash where they can't be read", () => {
    expect(clock("yesterday", "UTC")).toBe("–");
    expect(clock(null, "UTC")).toBe("–");
  });
});
