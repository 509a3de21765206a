import { useMemo, useRef, type ReactNode } from "react";
import { count, percent, points, seconds, shortCount } from "../data/format";
import type { Accuracy, CitySummary, PlaceKind, SeriesPoint } from "../data/messages";
import { accuracyUntil, recent, sparkline } from "../data/series";
import { useMeasures } from "../data/units";
import { LEVEL_COLORS } from "../palette";
import { texts } from "../texts";

interface CardProps {
  label: string;
  value: string;
  unit?: string;
  note: ReactNode;
  testId?: string;
  trend?: number[];
  color?: string;
}

function Card({ label, value, unit, note, testId, trend = [], color = "#7f93aa" }: CardProps): JSX.Element {
  const path = sparkline(trend, 64, 22);
  return (
    <section className="kpi" aria-label={label}>
      <h2>{label}</h2>
      <p className="kpi-value">
        <span data-testid={testId}>{value}</span>
        {unit ? <small>{unit}</small> : null}
        {path ? (
          <svg viewBox="-1 -2 66 26" width="66" height="26" aria-hidden="true">
            <path d={path} fill="none" stroke={color} strokeWidth="1.6" strokeLinejoin="round" />
          </svg>
        ) : null}
      </p>
      <p className="kpi-note">{note}</p>
    </section>
  );
}

interface KpisProps {
  summary: CitySummary | null;
  series: SeriesPoint[];
  /** How the forecasts fared over the last day. */
  accuracy: Accuracy;
  horizonMinutes: number;
  placeKind: PlaceKind;
  /** Whether a past moment is shown: its forecasts were all made then, and nothing is counted. */
  past: boolean;
}

export function Kpis({ summary, series, accuracy, horizonMinutes, placeKind, past }: KpisProps): JSX.Element {
  const known = texts.kpi;
  const { speed, speedUnit } = useMeasures();
  const now = summary?.congested_share ?? null;
  const then = summary?.forecast_congested_share ?? null;
  const checked = summary && summary.live_accuracy !== null;
  const trends = useMemo(
    () => ({
      vehicles: recent(series, (point) => point.vehicle_count),
      speed: recent(series, (point) => point.avg_speed_mph),
      now: recent(series, (point) => point.share_high),
      then: recent(series, (point) => point.forecast_share_high),
    }),
    [series],
  );
  const sensorsTrend = useTrail(past ? null : summary?.cells_known, summary);
  const eventsTrend = useTrail(past ? null : summary?.events_per_second, summary);
  const delayTrend = useTrail(past ? null : summary?.delay_seconds, summary);
  return (
    <div className="kpis">
      {placeKind === "h3" ? (
        <Card
          label={known.vehicles}
          value={count(summary?.vehicle_count)}
          note={summary ? known.vehiclesNote(summary.cells_known, summary.cells_unknown) : texts.loading}
          testId="kpi-vehicles"
          trend={trends.vehicles}
        />
      ) : (
        <Card
          label={known.sensors}
          value={count(summary?.cells_known)}
          note={summary ? known.sensorsNote(summary.cells_unknown) : texts.loading}
          testId="kpi-sensors"
          trend={past ? [] : sensorsTrend}
        />
      )}
      <Card
        label={known.speed}
        value={speed(summary?.avg_speed_mph)}
        unit={speedUnit}
        note={summary ? (summary.model_version ? texts.details.model(summary.model_version).replace(/^by /, "scored by ") : "") : ""}
        testId="kpi-speed"
        trend={trends.speed}
      />
      <Card
        label={known.congestedNow}
        value={percent(now, 1)}
        note={known.congestedNowNote}
        testId="kpi-congested-now"
        trend={trends.now}
        color={LEVEL_COLORS.high}
      />
      <Card
        label={known.congestedForecast(horizonMinutes)}
        value={percent(then, 1)}
        note={now === null || then === null ? known.noForecast : known.forecastNote(points(then - now))}
        testId="kpi-congested-forecast"
        trend={trends.then}
        color={LEVEL_COLORS.medium}
      />
      <Card
        label={known.accuracy}
        value={percent(summary?.live_accuracy, 1)}
        note={
          checked ? (
            <span title={known.accuracyTitle}>{known.accuracyNote(shortCount(summary.scored_forecasts), percent(summary.persistence_accuracy, 1))}</span>
          ) : (
            past ? known.accuracyPastWaiting(horizonMinutes) : known.accuracyWaiting(horizonMinutes)
          )
        }
        testId="kpi-accuracy"
        trend={accuracyUntil(accuracy, past ? (summary?.data_time_utc ?? null) : null)}
      />
      <Card
        label={known.events}
        value={shortCount(summary?.events_per_second == null ? null : Math.round(summary.events_per_second))}
        note={past ? known.countedLive : known.eventsNote[placeKind]}
        testId="kpi-events"
        trend={past ? [] : eventsTrend}
      />
      <Card
        label={known.delay}
        value={seconds(summary?.delay_seconds)}
        note={past ? known.countedLive : known.delayNote}
        testId="kpi-delay"
        trend={past ? [] : delayTrend}
      />
    </div>
  );
}

const TRAIL_LENGTH = 60;

/**
 * The last values of a figure that the API keeps no history of, as this page saw them: one for each message. Kept beside
 * React's state: as a state, each message would draw all figures twice.
 */
function useTrail(value: number | null | undefined, message: unknown): number[] {
  const trail = useRef<number[]>([]);
  const last = useRef<unknown>(null);
  if (message !== last.current) {
    last.current = message;
    if (value != null) trail.current = [...trail.current, value].slice(-TRAIL_LENGTH);
  }
  return trail.current;
}
