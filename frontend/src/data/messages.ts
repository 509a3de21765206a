/** Types of what the API says. They mirror `smartcity/messages.py`; times are ISO 8601 in UTC, speeds in mph. */

export const LEVELS = ["low", "medium", "high", "unknown"] as const;
export type Level = (typeof LEVELS)[number];

/** The version of the WebSocket schema these types describe. */
export const SCHEMA_VERSION = 1;

export interface Forecast {
  made_utc: string;
  for_utc: string;
  level: Level;
  probability_low: number | null;
  probability_medium: number | null;
  probability_high: number | null;
  expected_speed_mph: number | null;
  model_version: string;
}

export interface ScoredWindow {
  cell_id: string;
  window_start_utc: string;
  window_end_utc: string;
  vehicle_count: number;
  position_count: number;
  avg_speed_mph: number | null;
  std_speed_mph: number | null;
  free_flow_mph: number;
  ratio: number | null;
  level: Level;
  forecast: Forecast | null;
  updated_utc: string;
  newest_event_utc: string | null;
}

export interface MapVehicle {
  vehicle_id: string;
  timestamp_utc: string;
  latitude: number;
  longitude: number;
  speed_mph: number;
  heading_degrees: number | null;
}

export interface CitySummary {
  data_time_utc: string | null;
  /** Null only of a past moment without a history. */
  vehicle_count: number | null;
  avg_speed_mph: number | null;
  cells_known: number;
  cells_unknown: number;
  congested_share: number | null;
  /** The share to expect: the mean probability, not the share of places that are likelier congested than not. */
  forecast_congested_share: number | null;
  /** Null of a past moment. */
  events_per_second: number | null;
  delay_seconds: number | null;
  live_accuracy: number | null;
  persistence_accuracy: number | null;
  scored_forecasts: number;
  model_version: string | null;
}

interface State {
  schema_version: number;
  sequence: number;
  sent_utc: string;
  cells: ScoredWindow[];
  vehicles: MapVehicle[];
  summary: CitySummary;
}

export interface Snapshot extends State {
  type: "snapshot";
}

export interface Update extends State {
  type: "update";
  vehicles_gone: string[];
}

export type LiveMessage = Snapshot | Update;

export interface Bounds {
  south: number;
  west: number;
  north: number;
  east: number;
}

export type PlaceKind = "h3" | "sensor";

export interface Config {
  city: {
    name: string;
    time_zone: string;
    bounds: Bounds;
    place_kind: PlaceKind;
    h3_resolution: number;
    window_minutes: number;
    horizon_minutes: number;
  };
  levels: { low_from_ratio: number; high_below_ratio: number; min_vehicles: number };
  push_seconds: number;
  units: "imperial" | "metric";
  /** Address of a MapLibre style; null: the outline, drawn offline. */
  map_style: string | null;
  links: { mlflow: string | null; airflow: string | null; data_docs: string | null; kafka_ui: string | null; api_docs: string | null };
  outline: Outline | null;
  /** Where each sensor stands, by cell_id; empty in a city of H3 cells. */
  places: Readonly<Record<string, { latitude: number; longitude: number }>>;
}

/** The city's outline; a feature that is a zone may carry its name. */
export interface Outline {
  type: "FeatureCollection";
  features: OutlineFeature[];
}

export interface OutlineFeature {
  type: "Feature";
  properties: Record<string, unknown> | null;
  geometry: { type: string; coordinates: unknown } | null;
}

export interface SeriesPoint {
  time_utc: string;
  avg_speed_mph: number | null;
  ratio: number | null;
  vehicle_count: number | null;
  share_high: number | null;
  forecast_share_high: number | null;
}

/** What then happened, at the time that a forecast was for. */
export interface Outcome {
  level: Level;
  avg_speed_mph: number | null;
}

/** One forecast as /api/predictions gives it; with the outcome once the time has come. */
export interface Prediction extends Forecast {
  cell_id: string;
  level_now: Level;
  outcome?: Outcome | null;
  /** Over the last 24 hours; null where no forecast for the place has come due. */
  track_record?: { scored: number; accuracy: number; persistence_accuracy: number } | null;
}

/** One time that an alert rule held. */
export interface Alert {
  id: string;
  rule_name: string;
  raised_utc: string;
  share: number;
  cells: string[];
}

export interface Hotspot {
  rank: number;
  cell: ScoredWindow;
  /** What a mile takes longer than in free flow. */
  delay_minutes_per_mile: number;
  trend_ratio_30min: number | null;
}

export interface CellDetails {
  cell: ScoredWindow;
  boundary: [number, number][];
  /** Null for a sensor whose place is not known. */
  center: { latitude: number; longitude: number } | null;
  history: SeriesPoint[];
}

/** How the forecasts fared that were for the windows of one step. */
export interface AccuracyStep {
  time_utc: string;
  scored: number;
  accuracy: number;
  persistence_accuracy: number;
}

export interface Accuracy {
  step_minutes: number;
  series: AccuracyStep[];
}

export interface Stats {
  trips: number | null;
  positions: number | null;
  cells: number | null;
  events_per_second: number | null;
  live_accuracy: number | null;
  persistence_accuracy: number | null;
  scored_forecasts: number | null;
  delay_seconds: number | null;
  lake_bytes: number | null;
  model_version: string | null;
}
