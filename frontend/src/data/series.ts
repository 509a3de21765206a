/** Series for the charts: the API's history, continued with what the live summary says. */
import { isoOf } from "./link";
import type { Accuracy, CitySummary, SeriesPoint } from "./messages";

/** Columns as uPlot takes them: times in seconds, then one array per line. A line breaks at null and goes on through undefined. */
export type Columns = [number[], ...(number | null | undefined)[][]];

const MINUTE_MS = 60_000;

/** Query of the city-wide history up to `dataTimeUtc` and the forecasts beyond it; null before there is data. */
export function historyPath(dataTimeUtc: string | null, hours: number, horizonMinutes: number, stepMinutes: number): string | null {
  const end = dataTimeUtc ? Date.parse(dataTimeUtc) : NaN;
  if (Number.isNaN(end)) return null;
  // Whole 5 minutes, so that the address (and with it the question) changes seldom.
  const to = Math.ceil((end + (horizonMinutes + 5) * MINUTE_MS) / (5 * MINUTE_MS)) * 5 * MINUTE_MS;
  const query = new URLSearchParams({
    from: isoOf(to - hours * 60 * MINUTE_MS),
    to: isoOf(to),
    step_minutes: String(stepMinutes),
  });
  return `/api/historical?${query}`;
}

/** Lengths in minutes: of a window, and from its end to the end of the one that its forecast is for. */
export interface Lengths {
  windowMinutes: number;
  leadMinutes: number;
}

/** Share of congested places, seen and foretold, by the end of the window, as clocks on the page have it; the summary's newest values come last. */
export function congestionColumns(series: readonly SeriesPoint[], summary: CitySummary | null, lengths: Lengths): Columns {
  const seen = new Map<number, number | null | undefined>();
  const foretold = new Map<number, number | null>();
  for (const point of series) {
    const at = Date.parse(point.time_utc) / 1000 + lengths.windowMinutes * 60;
    seen.set(at, point.share_high);
    foretold.set(at, point.forecast_share_high);
  }
  if (summary?.data_time_utc) {
    const now = Date.parse(summary.data_time_utc) / 1000;
    // The history is asked for now and then: the window before the newest may not be in it yet.
    const before = now - lengths.windowMinutes * 60;
    if ((seen.get(before) ?? null) === null) seen.set(before, undefined);
    if (summary.congested_share !== null) seen.set(now, summary.congested_share);
    if (summary.forecast_congested_share !== null) foretold.set(now + lengths.leadMinutes * 60, summary.forecast_congested_share);
  }
  const times = [...new Set([...seen.keys(), ...foretold.keys()])].filter(Number.isFinite).sort((a, b) => a - b);
  return [times, times.map((at) => (seen.has(at) ? seen.get(at) : null)), times.map((at) => foretold.get(at) ?? null)];
}

/** The last `length` values that are there, oldest first. */
export function recent(series: readonly SeriesPoint[], pick: (point: SeriesPoint) => number | null, length = 60): number[] {
  return series
    .map(pick)
    .filter((value): value is number => value !== null && Number.isFinite(value))
    .slice(-length);
}

/** Shares of forecasts that came true, oldest first; of the steps that were over at a past moment. */
export function accuracyUntil({ step_minutes: minutes, series }: Accuracy, atUtc: string | null): number[] {
  const at = atUtc === null ? Infinity : Date.parse(atUtc);
  return series.filter((step) => Date.parse(step.time_utc) + minutes * MINUTE_MS <= at).map((step) => step.accuracy);
}

/** Path of a sparkline in a box of `width` × `height`; empty below two values. */
export function sparkline(values: readonly number[], width: number, height: number): string {
  if (values.length < 2) return "";
  const low = Math.min(...values);
  const span = Math.max(...values) - low;
  return values
    .map((value, index) => {
      const x = (index / (values.length - 1)) * width;
      const y = span > 0 ? height - ((value - low) / span) * height : height / 2;
      return `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
