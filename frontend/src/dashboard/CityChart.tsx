import { useContext, useMemo } from "react";
import { percent } from "../data/format";
import type { CitySummary, SeriesPoint } from "../data/messages";
import { congestionColumns, type Lengths } from "../data/series";
import { DRAWN } from "../palette";
import { ThemeContext } from "../shared/theme";
import { texts } from "../texts";
import { Chart } from "./Chart";

interface CityChartProps {
  series: SeriesPoint[];
  summary: CitySummary | null;
  lengths: Lengths;
  timeZone: string;
  failed: boolean;
  /** Whether a past moment is shown: the history alone says what was foretold and what then came. */
  past: boolean;
}

/** Share of congested places: what was seen against what had been foretold, and the next minutes. */
export function CityChart({ series, summary, lengths, timeZone, failed, past }: CityChartProps): JSX.Element {
  const colors = DRAWN[useContext(ThemeContext)];
  const columns = useMemo(() => congestionColumns(series, past ? null : summary, lengths), [series, past, summary, lengths]);
  const lines = useMemo(
    () => [
      { label: texts.chart.now, stroke: colors.seen, width: 2, value: share, points: { show: false }, spanGaps: false },
      { label: texts.chart.forecast(lengths.leadMinutes), stroke: colors.foretold, width: 1.6, dash: [6, 4], value: share, points: { show: false } },
    ],
    [lengths, colors],
  );
  return (
    <section className="panel city-chart" aria-label={texts.chart.title}>
      <h2>{texts.chart.title}</h2>
      {columns[0].length > 1 ? (
        <Chart
          columns={columns}
          series={lines}
          timeZone={timeZone}
          format={(value) => percent(value)}
          now={summary?.data_time_utc ? Date.parse(summary.data_time_utc) / 1000 : null}
          label={texts.chart.title}
        />
      ) : (
        <p className="muted">{failed ? texts.chart.failed : texts.chart.waiting}</p>
      )}
    </section>
  );
}

/** The value under the pointer; none while the pointer is elsewhere. */
function share(_plot: unknown, value: number | null | undefined): string {
  return value == null ? "" : percent(value, 1);
}
