import { describe, expect, it } from "vitest";
import { NO_FILTER, type Filter } from "../src/data/filter";
import { linkText, parseLink, type Link } from "../src/data/link";

const filter: Filter = { text: "Upper East & 1st", hidden: ["low", "unknown"], slowest: 2.5, fastest: 12, fewestVehicles: 4 };

const everything: Link = {
  cell: "882a100f3dfffff",
  layer: "error",
  at: Date.parse("2026-02-03T10:46:00Z"),
  view: { latitude: 40.75491, longitude: -73.98402, zoom: 11.25, pitch: 44, bearing: -14 },
  filter,
};

describe("a link", () => {
  it("says what it was made of", () => {
    expect(parseLink(linkText(everything))).toEqual(everything);
  });

  it("keeps a place's name as it is, whatever it holds", () => {
    const link = { ...everything, cell: "loop 7&at=#1" };
    expect(parseLink(linkText(link)).cell).toBe(link.cell);
  });

  it("is empty where there is nothing to say", () => {
    expect(linkText({ cell: null, layer: "now", at: null, view: null, filter: NO_FILTER })).toBe("");
    expect(parseLink("")).toEqual({ cell: null, layer: "now", at: null, view: null, filter: NO_FILTER });
  });

  it.each(["#at=yesterday&layer=sideways&view=1,2", "#view=a,b,c,d,e", "#view=91,0,3,0,0", "#view=,,,,", "#hide=none,all&from=fast&to=-3&vehicles=many"])("that is wrong is as none: %s", (hash) => {
    expect(parseLink(hash)).toEqual({ cell: null, layer: "now", at: null, view: null, filter: NO_FILTER });
  });

  it("shows no outcome of the present, which has none yet", () => {
    expect(parseLink("#layer=outcome").layer).toBe("now");
    expect(parseLink("#layer=forecast").layer).toBe("forecast");
  });
});
