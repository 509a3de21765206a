/** The city of a past moment, put together from what the API says about it. Pure. */
import type { CitySummary, Level, Outcome, Prediction, ScoredWindow, SeriesPoint } from "./messages";
import type { MapLayer } from "./link";
import type { Lengths } from "./series";
import type { CityState } from "./state";

export type Outcomes = ReadonlyMap<string, Outcome>;

export const NO_OUTCOMES: Outcomes = new Map();

/** The city at `at`: cells as they were, figures as the history has them, forecasts judged by what then happened. */
export function cityAt(
  at: number,
  cells: readonly ScoredWindow[],
  predictions: readonly Prediction[],
  series: readonly SeriesPoint[],
  lengths: Lengths,
): CityState {
  const start = at - lengths.windowMinutes * 60_000;
  const point = (ms: number): SeriesPoint | undefined => series.find((each) => Date.parse(each.time_utc) === ms);
  const seen = point(start);
  const known = cells.filter((cell) => cell.level !== "unknown").length;
  const summary: CitySummary = {
    data_time_utc: new Date(at).toISOString(),
    vehicle_count: seen?.vehicle_count ?? null,
    avg_speed_mph: seen?.avg_speed_mph ?? null,
    cells_known: known,
    cells_unknown: cells.length - known,
    congested_share: seen?.share_high ?? null,
    forecast_congested_share: point(start + lengths.leadMinutes * 60_000)?.forecast_share_high ?? null,
    events_per_second: null,
    delay_seconds: null,
    ...judged(predictions),
    model_version: predictions[0]?.model_version ?? null,
  };
  return { sequence: 0, cells: new Map(cells.map((cell) => [cell.cell_id, cell])), vehicles: new Map(), summary, sentUtc: null };
}

/** Of the forecasts whose level before, foretold and after are known: how many came true, and had nothing changed. */
function judged(predictions: readonly Prediction[]): Pick<CitySummary, "live_accuracy" | "persistence_accuracy" | "scored_forecasts"> {
  const due = predictions.flatMap(({ level, level_now, outcome }) =>
    outcome && [level, level_now, outcome.level].every((each) => each !== "unknown") ? [{ level, level_now, came: outcome.level }] : [],
  );
  const share = (right: number): number | null => (due.length ? right / due.length : null);
  return {
    live_accuracy: share(due.filter((each) => each.level === each.came).length),
    persistence_accuracy: share(due.filter((each) => each.level_now === each.came).length),
    scored_forecasts: due.length,
  };
}

export function outcomesOf(predictions: readonly Prediction[]): Outcomes {
  return new Map(predictions.flatMap(({ cell_id, outcome }) => (outcome ? [[cell_id, outcome] as const] : [])));
}

const ORDER: readonly Level[] = ["low", "medium", "high"];

/** How many levels a forecast was off; null while either is not known. */
function levelsOff(foretold: Level | undefined, came: Level | undefined): number | null {
  const [a, b] = [foretold, came].map((level) => (level ? ORDER.indexOf(level) : -1)) as [number, number];
  return a < 0 || b < 0 ? null : Math.abs(a - b);
}

/** The level in whose colour an error is drawn: `low` came true, `medium` one level off, `high` two. The map's colours hang on these names. */
export function errorLevel(foretold: Level | undefined, came: Level | undefined): Level {
  const off = levelsOff(foretold, came);
  return off === null ? "unknown" : ORDER[off]!;
}

/** What a place's colour says on a layer. */
export function levelOn(layer: MapLayer, cell: ScoredWindow, outcomes: Outcomes): Level {
  const came = outcomes.get(cell.cell_id)?.level;
  if (layer === "error") return errorLevel(cell.forecast?.level, came);
  return (layer === "now" ? cell.level : layer === "forecast" ? cell.forecast?.level : came) ?? "unknown";
}
