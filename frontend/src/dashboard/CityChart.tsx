import { useContext, useMemo, useState } from "react";
import { summaryOf } from "../data/filter";
import { count, percent } from "../data/format";
import type { Namer } from "../data/geography";
import type { CitySummary, Config, ScoredWindow, SeriesPoint } from "../data/messages";
import { congestionColumns, type Lengths } from "../data/series";
import { MOST_PLACES, type Chosen } from "../data/useChosenSeries";
import { DRAWN } from "../palette";
import { ThemeContext } from "../shared/theme";
import { texts } from "../texts";
import { Chart } from "./Chart";
import { Scatter } from "./Scatter";

interface CityChartProps {
  series: SeriesPoint[];
  summary: CitySummary | null;
  lengths: Lengths;
  timeZone: string;
  failed: boolean;
  /** Whether a past moment is shown: the history alone says what was foretold and what then came. */
  past: boolean;
  /** Places that pass the filter, and their history. */
  cells: readonly ScoredWindow[];
  chosen: Chosen;
  config: Config;
  nameOf: Namer;
  selected: string | null;
  onSelect: (cellId: string) => void;
  /** A click on a moment, in seconds. */
  onPick: (seconds: number) => void;
}

const VIEWS = ["overTime", "byPlace"] as const;

/** The places over time, or one by one. */
export function CityChart(props: CityChartProps): JSX.Element {
  const { cells, chosen, config, nameOf, selected, onSelect } = props;
  const [view, setView] = useState<(typeof VIEWS)[number]>("overTime");
  const { low_from_ratio: low, high_below_ratio: high } = config.levels;
  const thresholds = useMemo(() => [high, low], [high, low]);
  const whole = chosen.places === null || chosen.series === null;
  const title = view === "byPlace" ? texts.scatter.title : whole ? texts.chart.title : texts.chart.titleOf(count(chosen.places));
  return (
    <section className="panel city-chart" aria-label={title}>
      <header>
        <h2 title={chosen.places !== null && whole && chosen.places > 0 ? texts.chart.tooMany(MOST_PLACES) : texts.chart.goTo}>{title}</h2>
        <span className="chart-views" role="group" aria-label={texts.chart.views}>
          {VIEWS.map((each) => (
            <button key={each} type="button" aria-pressed={view === each} data-testid={`chart-${each}`} onClick={() => setView(each)}>
              {texts.chart[each]}
            </button>
          ))}
        </span>
      </header>
      {view === "overTime" ? (
        <OverTime {...props} />
      ) : (
        <Scatter cells={cells} nameOf={nameOf} selected={selected} horizonMinutes={config.city.horizon_minutes} thresholds={thresholds} onSelect={onSelect} />
      )}
    </section>
  );
}

/** Share of congested places: what was seen against what had been foretold, and the next minutes. */
function OverTime({ series: ofCity, summary: city, lengths, timeZone, failed, past, cells, chosen, onPick }: CityChartProps): JSX.Element {
  const colors = DRAWN[useContext(ThemeContext)];
  const series = chosen.series ?? ofCity;
  const summary = useMemo(() => (city && chosen.series ? summaryOf(cells, city) : city), [city, chosen.series, cells]);
  const columns = useMemo(() => congestionColumns(series, past ? null : summary, lengths), [series, past, summary, lengths]);
  const lines = useMemo(
    () => [
      { label: texts.chart.now, stroke: colors.seen, width: 2, value: share, points: { show: false }, spanGaps: false },
      { label: texts.chart.forecast(lengths.leadMinutes), stroke: colors.foretold, width: 1.6, dash: [6, 4], value: share, points: { show: false } },
    ],
    [lengths, colors],
  );
  if (columns[0].length < 2) return <p className="muted">{failed ? texts.chart.failed : texts.chart.waiting}</p>;
  return (
    <Chart
      columns={columns}
      series={lines}
      timeZone={timeZone}
      format={(value) => percent(value)}
      now={summary?.data_time_utc ? Date.parse(summary.data_time_utc) / 1000 : null}
      label={texts.chart.title}
      onPick={onPick}
    />
  );
}

/** The value under the pointer; none while the pointer is elsewhere. */
function share(_plot: unknown, value: number | null | undefined): string {
  return value == null ? "" : percent(value, 1);
}
