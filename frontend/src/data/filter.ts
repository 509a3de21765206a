/** Which places are looked at: what somebody chose, applied to map, lists and charts alike. Pure. */
import { LEVELS, type CitySummary, type Level, type ScoredWindow } from "./messages";
import { speedNow } from "./speed";

export interface Filter {
  /** Part of a place's name or id. */
  text: string;
  hidden: readonly Level[];
  /** Speeds in mph, both included; null: no bound. */
  slowest: number | null;
  fastest: number | null;
  fewestVehicles: number;
}

export const NO_FILTER: Filter = { text: "", hidden: [], slowest: null, fastest: null, fewestVehicles: 0 };

export function isFiltering({ text, hidden, slowest, fastest, fewestVehicles }: Filter): boolean {
  return text.trim() !== "" || hidden.length > 0 || slowest !== null || fastest !== null || fewestVehicles > 0;
}

/** Whether a place passes. `level`: what its colour says on the layer shown. A place without a speed is in no range of speeds. */
export function passes(filter: Filter, cell: ScoredWindow, level: Level, nameOf: (cellId: string) => string): boolean {
  const { hidden, slowest, fastest, fewestVehicles } = filter;
  const speed = speedNow(cell);
  if (hidden.includes(level) || cell.vehicle_count < fewestVehicles) return false;
  if (slowest !== null && (speed === null || speed < slowest)) return false;
  if (fastest !== null && (speed === null || speed > fastest)) return false;
  const wanted = filter.text.trim().toLowerCase();
  return wanted === "" || cell.cell_id.toLowerCase().includes(wanted) || nameOf(cell.cell_id).toLowerCase().includes(wanted);
}

export function toggled(filter: Filter, level: Level): Filter {
  const { hidden } = filter;
  return { ...filter, hidden: LEVELS.filter((each) => (each === level ? !hidden.includes(each) : hidden.includes(each))) };
}

/** The shares of congested places among `cells`, as the API computes those of the city; its other figures stay. */
export function summaryOf(cells: Iterable<ScoredWindow>, city: CitySummary): CitySummary {
  const known = [...cells].filter((cell) => cell.level !== "unknown");
  const chances = known.flatMap(({ forecast }) => (forecast ? [forecast.probability_high ?? Number(forecast.level === "high")] : []));
  const mean = (values: number[]): number | null => (values.length ? values.reduce((sum, each) => sum + each, 0) / values.length : null);
  return {
    ...city,
    congested_share: mean(known.map((cell) => Number(cell.level === "high"))),
    forecast_congested_share: mean(chances),
  };
}

/** Names of the filter in a link. */
const NAMES = { text: "place", hidden: "hide", slowest: "from", fastest: "to", fewestVehicles: "vehicles" } as const;

function bound(text: string | null): number | null {
  const value = text?.trim() ? Number(text) : NaN;
  return Number.isFinite(value) && value >= 0 ? value : null;
}

/** What a link says of the filter; what it says wrongly counts as not said. */
export function parseFilter(said: URLSearchParams): Filter {
  const hidden = (said.get(NAMES.hidden) ?? "").split(",");
  return {
    text: said.get(NAMES.text) ?? "",
    hidden: LEVELS.filter((level) => hidden.includes(level)),
    slowest: bound(said.get(NAMES.slowest)),
    fastest: bound(said.get(NAMES.fastest)),
    fewestVehicles: Math.floor(bound(said.get(NAMES.fewestVehicles)) ?? 0),
  };
}

/** The filter as parts of a link. */
export function filterParts({ text, hidden, slowest, fastest, fewestVehicles }: Filter): [string, string][] {
  const parts: [string, string][] = [];
  if (text.trim()) parts.push([NAMES.text, encodeURIComponent(text.trim())]);
  if (hidden.length) parts.push([NAMES.hidden, hidden.join(",")]);
  if (slowest !== null) parts.push([NAMES.slowest, String(slowest)]);
  if (fastest !== null) parts.push([NAMES.fastest, String(fastest)]);
  if (fewestVehicles > 0) parts.push([NAMES.fewestVehicles, String(fewestVehicles)]);
  return parts;
}
