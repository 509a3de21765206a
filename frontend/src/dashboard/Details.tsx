import { useContext, useEffect, useMemo, useRef } from "react";
import { usePolled } from "../data/api";
import { clock, count, percent } from "../data/format";
import type { Namer } from "../data/geography";
import type { CellDetails, Config, Forecast, Outcome, PlaceKind, Prediction, ScoredWindow, SeriesPoint } from "../data/messages";
import type { Columns } from "../data/series";
import { useMeasures, type Measures } from "../data/units";
import { speedNow } from "../data/speed";
import { DRAWN, LEVEL_COLORS } from "../palette";
import { ThemeContext } from "../shared/theme";
import { LEVEL_NAMES, texts } from "../texts";
import { Chart } from "./Chart";
import { LevelChip } from "./LevelChip";

interface DetailsProps {
  cellId: string;
  live: ScoredWindow | undefined;
  /** Query of a past moment; empty while live. */
  at: string;
  outcome: Outcome | undefined;
  config: Config;
  nameOf: Namer;
  onClose: () => void;
}

const REFRESH_SECONDS = 30;

/** One place: its state and forecast from the live stream, its last hours from the API. */
export function Details({ cellId, live, at, outcome, config, nameOf, onClose }: DetailsProps): JSX.Element {
  const path = `/api/cell/${encodeURIComponent(cellId)}${at && `?${at}`}`;
  const answer = usePolled<CellDetails>(path, REFRESH_SECONDS);
  // Of the same place, the answer for another moment does until its own is there.
  const details = answer.path?.split("?")[0] === path.split("?")[0] ? answer.data : null;
  const cell = live ?? details?.cell;
  const zone = config.city.time_zone;
  const title = useRef<HTMLHeadingElement>(null);
  useEffect(() => title.current?.focus(), [cellId]);
  return (
    <section className="panel details" aria-label={texts.details.title} data-testid="details" data-cell={cellId}>
      <header>
        <h2 tabIndex={-1} ref={title}>
          {nameOf(cellId)}
        </h2>
        <button type="button" className="close" onClick={onClose} aria-label={texts.details.close}>
          ×
        </button>
        <code>{cellId}</code>
      </header>
      {cell ? <State cell={cell} outcome={outcome} zone={zone} kind={config.city.place_kind} /> : <p className="muted">{answer.error ? texts.details.gone : texts.loading}</p>}
      <Record cellId={cellId} />
      <History history={details?.history ?? null} cell={cell} windowMinutes={config.city.window_minutes} zone={zone} failed={answer.error !== null} />
    </section>
  );
}

function State({ cell, outcome, zone, kind }: { cell: ScoredWindow; outcome: Outcome | undefined; zone: string; kind: PlaceKind }): JSX.Element {
  const known = texts.details;
  const { speed, speedUnit } = useMeasures();
  return (
    <>
      <div className="now-then">
        <div>
          <h3>
            {known.now} · {clock(cell.window_end_utc, zone)}
          </h3>
          <LevelChip level={cell.level} />
        </div>
        <div>
          <h3>{cell.forecast ? known.forecastAt(clock(cell.forecast.for_utc, zone)) : known.forecastAt("–")}</h3>
          {cell.forecast ? <LevelChip level={cell.forecast.level} /> : <span className="muted">{known.noForecast[kind]}</span>}
        </div>
        {outcome ? (
          <div>
            <h3>{known.came}</h3>
            <LevelChip level={outcome.level} />
          </div>
        ) : null}
      </div>
      {cell.forecast ? <Probabilities forecast={cell.forecast} /> : null}
      <dl className="facts">
        <div>
          <dt title={known.speedTitle}>{known.speed}</dt>
          <dd>
            {speed(speedNow(cell))} {speedUnit}
          </dd>
        </div>
        <div>
          <dt>{known.freeFlow}</dt>
          <dd>
            {speed(cell.free_flow_mph)} {speedUnit}
          </dd>
        </div>
        <div>
          <dt>{known.expected}</dt>
          <dd>
            {speed(cell.forecast?.expected_speed_mph)} {speedUnit}
          </dd>
        </div>
        {kind === "h3" ? (
          <div>
            <dt>{known.vehicles}</dt>
            <dd>{count(cell.vehicle_count)}</dd>
          </div>
        ) : null}
      </dl>
    </>
  );
}

/** How good the forecasts for this place have been. */
function Record({ cellId }: { cellId: string }): JSX.Element | null {
  const path = `/api/predictions?cells=${encodeURIComponent(cellId)}`;
  const answer = usePolled<{ predictions: Prediction[] }>(path, REFRESH_SECONDS);
  const record = answer.path === path ? answer.data?.predictions[0]?.track_record : null;
  if (!record) return null;
  return (
    <p className="muted record" data-testid="track-record">
      {texts.details.record(percent(record.accuracy), count(record.scored), percent(record.persistence_accuracy))}
    </p>
  );
}

function Probabilities({ forecast }: { forecast: Forecast }): JSX.Element {
  const parts = [
    ["low", forecast.probability_low],
    ["medium", forecast.probability_medium],
    ["high", forecast.probability_high],
  ] as const;
  if (parts.some(([, share]) => share === null)) return <p className="muted">{texts.details.noProbability}</p>;
  const words = parts.map(([level, share]) => `${LEVEL_NAMES[level]} ${percent(share)}`).join(", ");
  return (
    <div className="probabilities">
      <div className="probability-bar" role="img" aria-label={words}>
        {parts.map(([level, share]) => (
          <span key={level} style={{ width: percent(share, 1), background: LEVEL_COLORS[level] }} />
        ))}
      </div>
      <p className="muted">
        {words} · {texts.details.model(forecast.model_version)}
      </p>
    </div>
  );
}

interface HistoryProps {
  history: SeriesPoint[] | null;
  cell: ScoredWindow | undefined;
  windowMinutes: number;
  zone: string;
  failed: boolean;
}

const HOURS_SHOWN = 3;

function History({ history, cell, windowMinutes, zone, failed }: HistoryProps): JSX.Element {
  const colors = DRAWN[useContext(ThemeContext)];
  const measures = useMeasures();
  const title = texts.details.history(measures.speedUnit);
  const columns = useMemo(() => shownIn(measures, speedColumns(history ?? [], cell, windowMinutes)), [history, cell, windowMinutes, measures]);
  const lines = useMemo(
    () => [
      { label: texts.details.speed, stroke: colors.speed, width: 1.8, value: speed, points: { show: false } },
      { label: texts.details.freeFlow, stroke: colors.freeFlow, width: 1, dash: [3, 3], value: speed, points: { show: false } },
      { label: texts.details.expected, stroke: colors.foretold, width: 0, value: speed, points: { show: true, size: 9, fill: colors.foretold } },
    ],
    [colors],
  );
  return (
    <div className="history">
      <h3>{title}</h3>
      {history && columns[0].length > 1 ? (
        <Chart
          columns={columns}
          series={lines}
          timeZone={zone}
          format={(value) => String(Math.round(value))}
          now={cell ? Date.parse(cell.window_end_utc) / 1000 : null}
          label={title}
        />
      ) : (
        <p className="muted">{failed ? texts.details.failed : history ? texts.chart.waiting : texts.loading}</p>
      )}
    </div>
  );
}

/** The value under the pointer; none while the pointer is elsewhere. */
function speed(_plot: unknown, value: number | null | undefined): string {
  return value == null ? "" : value.toFixed(1);
}

function shownIn({ shown }: Measures, [times, ...lines]: Columns): Columns {
  return [times, ...lines.map((line) => line.map((value) => (value == null ? value : shown(value))))];
}

/** Time at the window's end, speed seen, free flow, speed expected; the live state continues the history. */
function speedColumns(history: readonly SeriesPoint[], cell: ScoredWindow | undefined, windowMinutes: number): Columns {
  const rows = new Map<number, [number | null, number | null]>();
  for (const point of history) rows.set(Date.parse(point.time_utc) / 1000 + windowMinutes * 60, [point.avg_speed_mph, null]);
  if (cell) {
    rows.set(Date.parse(cell.window_end_utc) / 1000, [cell.avg_speed_mph, null]);
    if (cell.forecast?.expected_speed_mph != null) rows.set(Date.parse(cell.forecast.for_utc) / 1000, [null, cell.forecast.expected_speed_mph]);
  }
  const all = [...rows.keys()].filter(Number.isFinite).sort((a, b) => a - b);
  const from = (all.at(-1) ?? 0) - HOURS_SHOWN * 3600;
  const times = all.filter((at) => at >= from);
  return [
    times,
    times.map((at) => rows.get(at)![0]),
    times.map(() => cell?.free_flow_mph ?? null),
    times.map((at) => rows.get(at)![1]),
  ];
}
