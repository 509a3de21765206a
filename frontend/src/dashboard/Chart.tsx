/** uPlot in React: made once, fed new columns, as wide as its place. */
import { useContext, useEffect, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Columns } from "../data/series";
import { DRAWN, type Theme } from "../palette";
import { axisFont, remPixels, ThemeContext } from "../shared/theme";
import { texts } from "../texts";

/** Milliseconds in which a second click makes the first one half of a double click. */
const DOUBLE_CLICK_MS = 350;

interface ChartProps {
  columns: Columns;
  series: uPlot.Series[];
  timeZone: string;
  /** A value of the y axis as text. */
  format: (value: number) => string;
  /** Time in seconds at which the future begins; it is shaded. */
  now?: number | null;
  label: string;
  /** A click (no drag) on a moment, in seconds. */
  onPick?: (seconds: number) => void;
}

function axisOf(theme: Theme): uPlot.Axis {
  const { axis: stroke, grid } = DRAWN[theme];
  return { stroke, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font: axisFont() };
}

export function Chart({ columns, series, timeZone, format, now = null, label, onPick }: ChartProps): JSX.Element {
  const theme = useContext(ThemeContext);
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const nowAt = useRef(now);
  nowAt.current = now;
  const data = useRef(columns);
  data.current = columns;
  /** Whether somebody chose a part of the time; what the scale says lags behind new columns. */
  const [isZoomed, setIsZoomed] = useState(false);
  const zoomed = useRef(isZoomed);
  zoomed.current = isZoomed;
  const pick = useRef(onPick);
  pick.current = onPick;

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const axis = axisOf(theme);
    const rem = remPixels();
    const options: uPlot.Options = {
      width: Math.max(element.clientWidth, 80),
      height: Math.max(element.clientHeight, 60),
      tzDate: (at) => uPlot.tzDate(new Date(at * 1000), timeZone),
      legend: { show: true, live: true },
      cursor: { y: false, points: { size: 6 }, drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: (_plot, low, high) => yRange(low, high) } },
      axes: [
        { ...axis, size: 1.9 * rem, values: (_plot, at) => at.map((each) => clockOf(each, timeZone)) },
        { ...axis, size: 3.3 * rem, values: (_plot, at) => at.map(format) },
      ],
      series: [{ value: (_plot, at) => (at == null ? "" : clockOf(at, timeZone)) }, ...series],
      hooks: {
        setSelect: [(chart) => chart.select.width > 0 && setIsZoomed(true)],
        drawClear: [(chart) => shadeFuture(chart, nowAt.current, theme)],
      },
    };
    const chart = new uPlot(options, data.current as uPlot.AlignedData, element);
    plot.current = chart;
    setIsZoomed(false);
    let pressedAt = 0;
    let picking: ReturnType<typeof setTimeout> | undefined;
    chart.over.addEventListener("dblclick", () => {
      clearTimeout(picking);
      setIsZoomed(false);
    });
    chart.over.addEventListener("mousedown", ({ clientX }) => (pressedAt = clientX));
    chart.over.addEventListener("click", ({ clientX, offsetX }) => {
      // A drag zooms in; its end is a click too. Two clicks show the whole again, and are no choice of a moment.
      if (Math.abs(clientX - pressedAt) >= 4) return;
      const moment = chart.posToVal(offsetX, "x");
      clearTimeout(picking);
      picking = setTimeout(() => pick.current?.(moment), zoomed.current ? DOUBLE_CLICK_MS : 0);
    });
    const fit = (): void => {
      const legend = element.querySelector<HTMLElement>(".u-legend")?.offsetHeight ?? 0;
      chart.setSize({ width: Math.max(element.clientWidth, 80), height: Math.max(element.clientHeight - legend, 60) });
    };
    fit();
    const observer = new ResizeObserver(fit);
    observer.observe(element);
    return () => {
      observer.disconnect();
      clearTimeout(picking);
      chart.destroy();
      plot.current = null;
    };
    // The series are literals of the caller; a new zone or theme makes a new chart.
  }, [timeZone, theme]);

  useEffect(() => {
    // Keeps the zoom that somebody chose.
    const chart = plot.current;
    if (!chart) return;
    chart.setData(columns as uPlot.AlignedData, !zoomed.current);
    if (zoomed.current) chart.redraw();
  }, [columns]);

  const showWhole = (): void => {
    setIsZoomed(false);
    plot.current?.setData(data.current as uPlot.AlignedData);
  };
  return (
    <div className="chart">
      <div className="chart-plot" ref={frame} role="img" aria-label={label} />
      {isZoomed ? (
        <button type="button" className="chart-whole" onClick={showWhole}>
          {texts.chart.whole}
        </button>
      ) : null}
    </div>
  );
}

function yRange(low: number, high: number): [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  return [0, high > 0 ? high * 1.15 : 1];
}

function clockOf(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone }).format(at * 1000);
}

function shadeFuture(chart: uPlot, now: number | null, theme: Theme): void {
  if (now === null) return;
  const { left, top, width, height } = chart.bbox;
  const x = Math.max(left, Math.min(left + width, chart.valToPos(now, "x", true)));
  chart.ctx.save();
  chart.ctx.fillStyle = DRAWN[theme].future;
  chart.ctx.fillRect(x, top, left + width - x, height);
  chart.ctx.fillStyle = DRAWN[theme].futureEdge;
  chart.ctx.fillRect(x, top, Math.max(1, devicePixelRatio), height);
  chart.ctx.restore();
}
