/** Each place as a point: its speed now against the one expected, both as shares of free flow. */
import { useContext, useEffect, useMemo, useRef, type MouseEvent } from "react";
import type { Namer } from "../data/geography";
import type { ScoredWindow } from "../data/messages";
import { nearest, pointsOf, type Dot } from "../data/scatter";
import { DRAWN, LEVEL_COLORS } from "../palette";
import { axisFont, ThemeContext } from "../shared/theme";
import { texts } from "../texts";

interface ScatterProps {
  cells: readonly ScoredWindow[];
  nameOf: Namer;
  selected: string | null;
  horizonMinutes: number;
  /** Shares of free flow at which the level changes. */
  thresholds: readonly number[];
  onSelect: (cellId: string) => void;
}

const MARGIN = { left: 40, right: 10, top: 6, bottom: 22 };
const REACH = 14;
const TICKS = [0, 0.25, 0.5, 0.75, 1];

export function Scatter({ cells, nameOf, selected, horizonMinutes, thresholds, onSelect }: ScatterProps): JSX.Element {
  const theme = useContext(ThemeContext);
  const canvas = useRef<HTMLCanvasElement>(null);
  const dots = useMemo(() => pointsOf(cells), [cells]);
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    const paint = (): void => draw(element, dots, selected, thresholds, DRAWN[theme], texts.scatter.then(horizonMinutes));
    const observer = new ResizeObserver(paint);
    observer.observe(element);
    return () => observer.disconnect();
  }, [dots, selected, thresholds, theme, horizonMinutes]);
  const under = (event: MouseEvent<HTMLCanvasElement>): Dot | null => {
    const { offsetX, offsetY } = event.nativeEvent;
    const place = placer(event.currentTarget.clientWidth, event.currentTarget.clientHeight);
    return nearest(dots, ({ now, then }) => place(now, then), [offsetX, offsetY], REACH);
  };
  if (dots.length === 0) return <p className="muted">{texts.scatter.empty}</p>;
  return (
    <canvas
      className="scatter"
      data-testid="scatter"
      ref={canvas}
      role="img"
      aria-label={`${texts.scatter.title}. ${texts.scatter.hint}`}
      title={texts.scatter.hint}
      onMouseMove={(event) => {
        const found = under(event);
        event.currentTarget.title = found ? nameOf(found.id) : texts.scatter.hint;
        event.currentTarget.style.cursor = found ? "pointer" : "";
      }}
      onClick={(event) => {
        const found = under(event);
        if (found) onSelect(found.id);
      }}
    />
  );
}

function placer(width: number, height: number): (now: number, then: number) => [number, number] {
  const across = width - MARGIN.left - MARGIN.right;
  const up = height - MARGIN.top - MARGIN.bottom;
  return (now, then) => [MARGIN.left + Math.min(1, now / 1.2) * across, height - MARGIN.bottom - Math.min(1, then / 1.2) * up];
}

function draw(canvas: HTMLCanvasElement, dots: readonly Dot[], selected: string | null, thresholds: readonly number[], colors: (typeof DRAWN)["dark"], then: string): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const context = canvas.getContext("2d");
  if (!context || width === 0 || height === 0) return;
  const ratio = Math.min(2, devicePixelRatio);
  canvas.width = Math.round(width * ratio);
  canvas.height = Math.round(height * ratio);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const place = placer(width, height);
  const line = (from: [number, number], to: [number, number], color: string, dash: number[] = []): void => {
    context.beginPath();
    context.setLineDash(dash);
    context.strokeStyle = color;
    context.lineWidth = 1;
    context.moveTo(...from);
    context.lineTo(...to);
    context.stroke();
  };
  context.font = axisFont();
  context.fillStyle = colors.axis;
  for (const tick of TICKS) {
    const [x] = place(tick, 0);
    const [, y] = place(0, tick);
    line([x, MARGIN.top], [x, height - MARGIN.bottom], colors.grid);
    line([MARGIN.left, y], [width - MARGIN.right, y], colors.grid);
    context.textAlign = "center";
    context.fillText(`${tick * 100}%`, x, height - 6);
    context.textAlign = "right";
    context.fillText(`${tick * 100}%`, MARGIN.left - 6, y + 4);
  }
  for (const each of thresholds) {
    line(place(each, 0), place(each, 1.2), colors.futureEdge, [3, 4]);
    line(place(0, each), place(1.2, each), colors.futureEdge, [3, 4]);
  }
  line(place(0, 0), place(1.2, 1.2), colors.axis, [6, 4]);
  context.setLineDash([]);
  for (const { now, then: later, level, radius } of dots) {
    context.beginPath();
    context.arc(...place(now, later), radius, 0, 2 * Math.PI);
    context.globalAlpha = 0.75;
    context.fillStyle = LEVEL_COLORS[level];
    context.fill();
  }
  context.globalAlpha = 1;
  const chosen = dots.find(({ id }) => id === selected);
  if (chosen) {
    context.beginPath();
    context.arc(...place(chosen.now, chosen.then), chosen.radius + 4, 0, 2 * Math.PI);
    context.strokeStyle = colors.selection;
    context.lineWidth = 2.5;
    context.stroke();
  }
  context.fillStyle = colors.axis;
  context.textAlign = "left";
  context.fillText(then, MARGIN.left + 4, MARGIN.top + 10);
  context.textAlign = "right";
  context.fillText(texts.scatter.now, width - MARGIN.right - 4, height - MARGIN.bottom - 5);
}
