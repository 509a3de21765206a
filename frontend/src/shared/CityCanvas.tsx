/** The live city as a light drawing on a canvas: places in the colour of their level, vehicles as points. */
import { useContext, useEffect, useRef, type MouseEvent } from "react";
import type { Bounds, Level, PlaceKind, ScoredWindow } from "../data/messages";
import type { CityState } from "../data/state";
import type { Grid } from "../data/geography";
import { DRAWN, LEVEL_COLORS } from "../palette";
import { ThemeContext } from "./theme";
import { cityBounds } from "../map/view";

interface CityCanvasProps {
  city: CityState;
  grid: Grid | null;
  bounds: Bounds;
  kind: PlaceKind;
  /** Whether words stand to the left of the city. */
  beside?: boolean;
  /** Places that are drawn; all, unless somebody filters. */
  shows?: (cell: ScoredWindow) => boolean;
  levelOf?: (cell: ScoredWindow) => Level;
  colors?: Readonly<Record<Level, string>>;
  selected?: string | null;
  /** A click on a place; null: on none. Without it the drawing is only looked at. */
  onSelect?: (cellId: string | null) => void;
}

const all = (): boolean => true;
const levelNow = (cell: ScoredWindow): Level => cell.level;

interface Glide {
  from: [number, number];
  to: [number, number];
}

const GLIDE_MS = 2_000;
const SENSOR_RADIUS = 6;

export function CityCanvas(props: CityCanvasProps): JSX.Element {
  const { city, grid, bounds, kind, beside = false, selected = null, onSelect } = props;
  const { shows = all, levelOf = levelNow, colors = LEVEL_COLORS } = props;
  const theme = useContext(ThemeContext);
  const canvas = useRef<HTMLCanvasElement>(null);
  const box = useRef<Bounds | null>(null);
  const glides = useRef(new Map<string, Glide>());
  const arrived = useRef(0);
  const shapes = useRef(new Map<string, [number, number][]>());
  if (kind === "sensor") box.current = bounds;
  else if (box.current === null && (city.vehicles.size > 0 || (grid && city.cells.size > 0))) box.current = cityBounds(city, grid?.center, bounds);

  useEffect(() => {
    const share = Math.min(1, (performance.now() - arrived.current) / GLIDE_MS);
    const next = new Map<string, Glide>();
    for (const [id, vehicle] of city.vehicles) {
      const to: [number, number] = [vehicle.longitude, vehicle.latitude];
      const old = glides.current.get(id);
      next.set(id, { from: old ? between(old, share) : to, to });
    }
    glides.current = next;
    arrived.current = performance.now();
  }, [city.vehicles]);

  useEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context) return;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    let frame = 0;
    let drawn = -Infinity;
    const draw = (at: number): void => {
      frame = requestAnimationFrame(draw);
      // 20 frames a second look smooth at this speed and leave the processor alone.
      if (at - drawn < (still ? 2_000 : 50)) return;
      drawn = at;
      const ratio = Math.min(2, devicePixelRatio);
      const { clientWidth: width, clientHeight: height } = element;
      if (element.width !== Math.round(width * ratio)) element.width = Math.round(width * ratio);
      if (element.height !== Math.round(height * ratio)) element.height = Math.round(height * ratio);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, width, height);
      if (!box.current) return;
      const project = projection(box.current, width, height, beside);
      if (grid) drawCells(context, [...city.cells.values()].filter(shows), grid, shapes.current, project, { levelOf, colors, selected, ring: DRAWN[theme].selection });
      const share = still ? 1 : Math.min(1, (at - arrived.current) / GLIDE_MS);
      context.fillStyle = DRAWN[theme].vehicle;
      context.globalAlpha = 0.85;
      for (const glide of glides.current.values()) {
        const [x, y] = project(between(glide, share));
        context.fillRect(x - 0.9, y - 0.9, 1.8, 1.8);
      }
    };
    frame = requestAnimationFrame(draw);
    return () => cancelAnimationFrame(frame);
  }, [city, grid, beside, theme, shows, levelOf, colors, selected]);

  const pick = (event: MouseEvent<HTMLCanvasElement>): void => {
    const { offsetX: x, offsetY: y } = event.nativeEvent;
    const { clientWidth: width, clientHeight: height } = event.currentTarget;
    if (!grid || !box.current || !onSelect) return;
    onSelect(placeAt([x, y], [...city.cells.values()].filter(shows), grid, projection(box.current, width, height, beside)));
  };
  // The table beside it holds the same places for the keyboard.
  return <canvas className="city-canvas" ref={canvas} aria-hidden="true" data-pickable={onSelect !== undefined} onClick={pick} />;
}

function between({ from, to }: Glide, share: number): [number, number] {
  return [from[0] + (to[0] - from[0]) * share, from[1] + (to[1] - from[1]) * share];
}

type Project = (point: [number, number]) => [number, number];

/** Equal scale in both directions; on a wide screen the city sits in the right part, beside the words. */
function projection(box: Bounds, width: number, height: number, beside: boolean): Project {
  const squeeze = Math.cos((((box.south + box.north) / 2) * Math.PI) / 180);
  const wide = beside && width > 900;
  const room = wide ? width * 0.62 : width;
  const scale = 0.94 * Math.min(room / ((box.east - box.west) * squeeze), height / (box.north - box.south));
  const midX = wide ? width - room / 2 : width / 2;
  const [east, north] = [(box.west + box.east) / 2, (box.south + box.north) / 2];
  return ([longitude, latitude]) => [midX + (longitude - east) * squeeze * scale, height / 2 - (latitude - north) * scale];
}

/** How far from a point a click may be, in pixels, and from a cell's centre, in its own radii. */
const SENSOR_REACH = 14;
const CELL_REACH = 1.05;

/** The place under a click: the nearest one, if the click is on it. */
export function placeAt([x, y]: [number, number], cells: readonly ScoredWindow[], grid: Grid, project: Project): string | null {
  let found: string | null = null;
  let nearest = Infinity;
  for (const { cell_id: id } of cells) {
    const center = grid.center(id);
    if (!center) continue;
    const [left, top] = project([center.longitude, center.latitude]);
    const distance = Math.hypot(left - x, top - y);
    if (distance >= nearest) continue;
    nearest = distance;
    const corner = grid.boundary(id)[0];
    const at = corner ? project(corner) : null;
    found = distance <= (at ? Math.hypot(at[0] - left, at[1] - top) * CELL_REACH : SENSOR_REACH) ? id : null;
  }
  return found;
}

interface Looks {
  levelOf: (cell: ScoredWindow) => Level;
  colors: Readonly<Record<Level, string>>;
  selected: string | null;
  ring: string;
}

function drawCells(
  context: CanvasRenderingContext2D,
  cells: readonly ScoredWindow[],
  grid: Grid,
  shapes: Map<string, [number, number][]>,
  project: Project,
  { levelOf, colors, selected, ring }: Looks,
): void {
  const busiest = cells.reduce((most, cell) => Math.max(most, cell.vehicle_count), 1);
  // The selected one last, so that no neighbour covers its ring.
  const last = cells.filter((cell) => cell.cell_id === selected);
  for (const cell of [...cells, ...last]) {
    let shape = shapes.get(cell.cell_id);
    if (!shape) shapes.set(cell.cell_id, (shape = grid.boundary(cell.cell_id)));
    const center = shape.length === 0 ? grid.center(cell.cell_id) : null;
    const level = levelOf(cell);
    context.beginPath();
    if (center) context.arc(...project([center.longitude, center.latitude]), SENSOR_RADIUS, 0, 2 * Math.PI);
    for (const corner of shape) context.lineTo(...project(corner));
    context.closePath();
    const weight = Math.sqrt(cell.vehicle_count / busiest);
    context.fillStyle = context.strokeStyle = colors[level];
    context.globalAlpha = level === "unknown" ? 0.1 : 0.18 + 0.5 * weight;
    context.fill();
    context.globalAlpha = level === "unknown" ? 0.12 : 0.4;
    context.lineWidth = 0.7;
    if (cell.cell_id === selected) {
      context.strokeStyle = ring;
      context.globalAlpha = 1;
      context.lineWidth = 2.5;
    }
    context.stroke();
  }
}
