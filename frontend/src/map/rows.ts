/** The live city as rows of Kepler.gl's tables. Pure, so that it can be tested without a map. */
import type { MapVehicle, ScoredWindow } from "../data/messages";
import type { Namer } from "../data/h3";
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

export function placeFields(horizonMinutes: number): Field[] {
  const names = texts.map.fields;
  return [
    field("cell_id", "h3", "STRING"),
    text("level"),
    text("forecast_level"),
    whole("vehicle_count", names.vehicles),
    text("name", names.place),
    text("level_name", names.level),
    text("forecast_name", names.forecast(horizonMinutes)),
    text("chance", names.chance),
    text("speed", names.speed),
    text("free_flow", names.freeFlow),
  ];
}

/** Fields shown when the pointer is over a place. */
export const PLACE_TOOLTIP = ["name", "level_name", "speed", "free_flow", "vehicle_count", "forecast_name", "chance"];

export function placeRow(cell: ScoredWindow, nameOf: Namer): Row {
  const { forecast } = cell;
  const chance = forecast?.probability_high;
  return [
    cell.cell_id,
    cell.level,
    forecast?.level ?? "unknown",
    cell.vehicle_count,
    nameOf(cell.cell_id),
    LEVEL_NAMES[cell.level],
    forecast ? LEVEL_NAMES[forecast.level] : texts.kpi.noForecast,
    typeof chance === "number" ? `${Math.round(chance * 100)}%` : "–",
    cell.avg_speed_mph === null ? "–" : cell.avg_speed_mph.toFixed(1),
    cell.free_flow_mph.toFixed(1),
  ];
}

export const vehicleFields: Field[] = [
  text("vehicle_id", texts.map.fields.vehicle),
  real("latitude"),
  real("longitude"),
  real("speed_mph", texts.map.fields.speed),
];
export const VEHICLE_TOOLTIP = ["vehicle_id", "speed_mph"];

export function vehicleRow(vehicle: MapVehicle): Row {
  return [vehicle.vehicle_id, vehicle.latitude, vehicle.longitude, Math.round(vehicle.speed_mph * 10) / 10];
}

/** The selected place as the only row of its own table; none where nothing is selected. */
export function selectionRows(cell: ScoredWindow | undefined, nameOf: Namer): Row[] {
  return cell ? [placeRow(cell, nameOf)] : [];
}

/** Top of the height scale for `largest` vehicles in one place: 10, 20, 50, 100, … */
export function niceTop(largest: number): number {
  let power = 10;
  for (;;) {
    for (const step of [1, 2, 5]) if (step * power >= largest) return step * power;
    power *= 10;
  }
}
