/** The city as the client knows it, and the pure step from one message to the next state. */
import { SCHEMA_VERSION, type CitySummary, type LiveMessage, type MapVehicle, type ScoredWindow } from "./messages";

export interface CityState {
  /** Sequence of the last message applied; null before the first snapshot. */
  readonly sequence: number | null;
  readonly cells: ReadonlyMap<string, ScoredWindow>;
  readonly vehicles: ReadonlyMap<string, MapVehicle>;
  readonly summary: CitySummary | null;
  readonly sentUtc: string | null;
}

export const EMPTY_CITY: CityState = {
  sequence: null,
  cells: new Map(),
  vehicles: new Map(),
  summary: null,
  sentUtc: null,
};

/** `gap`: messages were missed, ask for a snapshot. `outdated`: the server speaks a newer schema, reload the page. */
export type Outcome = { kind: "applied"; city: CityState } | { kind: "ignored" } | { kind: "gap" } | { kind: "outdated" };

/** Applies one message. Never changes `city`; an update that does not follow on the last message is a gap. */
export function applyMessage(city: CityState, message: LiveMessage): Outcome {
  if (message.schema_version > SCHEMA_VERSION) return { kind: "outdated" };
  if (message.type === "snapshot") {
    return {
      kind: "applied",
      city: {
        sequence: message.sequence,
        cells: new Map(message.cells.map((cell) => [cell.cell_id, cell])),
        vehicles: new Map(message.vehicles.map((vehicle) => [vehicle.vehicle_id, vehicle])),
        summary: message.summary,
        sentUtc: message.sent_utc,
      },
    };
  }
  if (city.sequence === null) return { kind: "gap" };
  // A message that was under way while the snapshot was made is already in it.
  if (message.sequence <= city.sequence) return { kind: "ignored" };
  if (message.sequence !== city.sequence + 1) return { kind: "gap" };
  const cells = new Map(city.cells);
  for (const cell of message.cells) cells.set(cell.cell_id, cell);
  const vehicles = new Map(city.vehicles);
  for (const vehicle of message.vehicles) vehicles.set(vehicle.vehicle_id, vehicle);
  for (const id of message.vehicles_gone) vehicles.delete(id);
  return {
    kind: "applied",
    city: { sequence: message.sequence, cells, vehicles, summary: message.summary, sentUtc: message.sent_utc },
  };
}

/** The message in a WebSocket frame, or null where the text is none of ours. */
export function parseMessage(text: string): LiveMessage | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null) return null;
  const { type, sequence, cells, vehicles } = value as Partial<LiveMessage>;
  const known = type === "snapshot" || type === "update";
  return known && typeof sequence === "number" && Array.isArray(cells) && Array.isArray(vehicles)
    ? (value as LiveMessage)
    : null;
}
