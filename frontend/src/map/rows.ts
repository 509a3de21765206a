/** The live city as rows of Kepler.gl's tables. Pure, so that it can be tested without a map. */
import type { MapVehicle, PlaceKind, ScoredWindow } from "../data/messages";
import type { Point } from "../data/places";
import type { Namer } from "../data/geography";
import { errorLevel, NO_OUTCOMES, type Outcomes } from "../data/past";
import type { Measures } from "../data/units";
import { speedNow } from "../data/speed";
import { LEVEL_NAMES, texts } from "../texts";

export type Row = (string | number | null)[];

export const PLACES = "places";
export const VEHICLES = "vehicles";
export const SELECTION = "selection";

interface Field {
  name: string;
  type: string;
  analyzerType: string;
  format: string;
  displayName?: string;
}

const text = (name: string, displayName?: string): Field => field(name, "string", "STRING", displayName);
const real = (name: string, displayName?: string): Field => field(name, "real", "FLOAT", displayName);
const whole = (name: string, displayName?: string): Field => field(name, "integer", "INT", displayName);

function field(name: string, type: string, analyzerType: string, displayName = name): Field {
  return { name, type, analyzerType, format: "", displayName };
}

/** A sensor needs its coordinates, which a cell's id says by itself. */
export function placeFields(horizonMinutes: number, kind: PlaceKind, unit: string): Field[] {
  const names = texts.map.fields;
  return [
    kind === "h3" ? field("cell_id", "h3", "STRING") : text("cell_id", names.sensor),
    text("level"),
    text("forecast_level"),
    whole("vehicle_count", names.vehicles),
    text("name", names.place),
    text("level_name", names.level),
    text("forecast_name", names.forecast(horizonMinutes)),
    whole("chance", names.chance),
    real("speed", names.speed(unit)),
    real("free_flow", names.freeFlow(unit)),
    real("expected", names.expected(horizonMinutes, unit)),
    text("outcome_level"),
    text("error"),
    text(OUTCOME, names.outcome),
    ...(kind === "h3" ? [] : [real("latitude"), real("longitude")]),
  ];
}

const SPEEDS: readonly string[] = ["speed", "free_flow", "expected"];

/** Of Kepler's filters, what a change of units touches. */
export interface RangeFilter {
  name: readonly string[];
  value: unknown;
  domain: unknown;
}

/** What a filter holds in other units, so that it lets through the same as before; itself where it is not about speeds. */
export function inUnits(filter: RangeFilter, from: Measures, to: Measures): RangeFilter {
  if (from.units === to.units || !filter.name.some((name) => SPEEDS.includes(name))) return filter;
  const converted = (held: unknown): unknown => (Array.isArray(held) ? held.map((each) => (typeof each === "number" ? to.shown(from.mph(each)) : each)) : held);
  return { ...filter, value: converted(filter.value), domain: converted(filter.domain) };
}

const OUTCOME = "outcome_name";

/** Fields shown when the pointer is over a place, of the past with what came. A sensor's reading counts no vehicles. */
export function placeTooltip(kind: PlaceKind, past: boolean): string[] {
  const then = ["forecast_name", "expected", "chance", ...(past ? [OUTCOME] : [])];
  return kind === "h3"
    ? ["name", "level_name", "speed", "free_flow", "vehicle_count", ...then]
    : ["name", "cell_id", "level_name", "speed", "free_flow", ...then];
}

/** Kepler's fields of the tooltips, by table. */
export type FieldsToShow = Readonly<Record<string, readonly { name: string; format: string | null }[]>>;

/** The same fields with or without what came. */
export function withOutcome(shown: FieldsToShow, past: boolean): FieldsToShow {
  return Object.fromEntries(
    Object.entries(shown).map(([table, fields]) => {
      const others = fields.filter(({ name }) => name !== OUTCOME);
      return [table, past && table !== VEHICLES ? [...others, { name: OUTCOME, format: null }] : others];
    }),
  );
}

/** The rows of places; a sensor that stands nobody knows where is left out. */
export function placeRows(
  cells: Iterable<ScoredWindow>,
  nameOf: Namer,
  kind: PlaceKind,
  places: Readonly<Record<string, Point>>,
  measures: Measures,
  outcomes: Outcomes = NO_OUTCOMES,
): Row[] {
  const rows: Row[] = [];
  for (const cell of cells) {
    const at = places[cell.cell_id];
    if (kind === "h3") rows.push(placeRow(cell, nameOf, measures, outcomes));
    else if (at) rows.push([...placeRow(cell, nameOf, measures, outcomes), at.latitude, at.longitude]);
  }
  return rows;
}

function placeRow(cell: ScoredWindow, nameOf: Namer, { shown }: Measures, outcomes: Outcomes): Row {
  const { forecast } = cell;
  const came = outcomes.get(cell.cell_id)?.level;
  const chance = forecast?.probability_high;
  return [
    cell.cell_id,
    cell.level,
    forecast?.level ?? "unknown",
    cell.vehicle_count,
    nameOf(cell.cell_id),
    LEVEL_NAMES[cell.level],
    forecast ? LEVEL_NAMES[forecast.level] : texts.kpi.noForecast,
    typeof chance === "number" ? Math.round(chance * 100) : null,
    tenth(speedNow(cell), shown),
    tenth(cell.free_flow_mph, shown),
    tenth(forecast?.expected_speed_mph, shown),
    came ?? "unknown",
    errorLevel(forecast?.level, came),
    came ? LEVEL_NAMES[came] : "–",
  ];
}

/** As a number, so that Kepler's own filters can take a range of it. */
function tenth(mph: number | null | undefined, shown: Measures["shown"]): number | null {
  return typeof mph === "number" && Number.isFinite(mph) ? Math.round(shown(mph) * 10) / 10 : null;
}

export const vehicleFields = (unit: string): Field[] => [
  text("vehicle_id", texts.map.fields.vehicle),
  real("latitude"),
  real("longitude"),
  real("speed", texts.map.fields.speed(unit)),
  real("heading", texts.map.fields.heading),
];
/** Column of the heading in the rows of vehicles. */
export const HEADING = 4;
export const VEHICLE_TOOLTIP = ["vehicle_id", "speed"];

export function vehicleRow(vehicle: MapVehicle, { shown }: Measures): Row {
  return [vehicle.vehicle_id, vehicle.latitude, vehicle.longitude, tenth(vehicle.speed_mph, shown), vehicle.heading_degrees];
}

/** Top of the height scale for `largest` vehicles in one place: 10, 20, 50, 100, … */
export function niceTop(largest: number): number {
  let power = 10;
  for (;;) {
    for (const step of [1, 2, 5]) if (step * power >= largest) return step * power;
    power *= 10;
  }
}
