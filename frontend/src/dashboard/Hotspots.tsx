import { percent } from "../data/format";
import type { Namer } from "../data/geography";
import { losesTime } from "../data/hotspots";
import type { Hotspot, ScoredWindow } from "../data/messages";
import { shortId } from "../data/places";
import { useMeasures } from "../data/units";
import { speedNow } from "../data/speed";
import { texts } from "../texts";
import { LevelChip } from "./LevelChip";

interface HotspotsProps {
  hotspots: Hotspot[] | null;
  cells: ReadonlyMap<string, ScoredWindow>;
  nameOf: Namer;
  selected: string | null;
  horizonMinutes: number;
  /** Whether the filter lets a place through. */
  shows: (cell: ScoredWindow) => boolean;
  filtering: boolean;
  onSelect: (cellId: string) => void;
}

const MOST_ROWS = 20;

export function Hotspots({ hotspots, cells, nameOf, selected, horizonMinutes, shows, filtering, onSelect }: HotspotsProps): JSX.Element {
  // The rank is the API's; the figures are the newest known.
  const listed =
    hotspots
      ?.map((hotspot) => ({ ...hotspot, now: cells.get(hotspot.cell.cell_id) ?? hotspot.cell }))
      .filter(({ now }) => shows(now) && (filtering || losesTime(now))) ?? null;
  return (
    <section className="panel hotspots" aria-label={texts.hotspots.title}>
      <h2>
        {texts.hotspots.title} <small>{texts.hotspots.note}</small>
      </h2>
      {listed === null ? <p className="muted">{texts.loading}</p> : null}
      {listed?.length === 0 ? <p className="muted">{filtering ? texts.filter.none : texts.hotspots.empty}</p> : null}
      <ol>
        {(listed ?? []).slice(0, MOST_ROWS).map(({ rank, cell, now, trend_ratio_30min }) => {
          return (
            <li key={cell.cell_id}>
              <button
                type="button"
                data-testid="hotspot-row"
                data-cell={cell.cell_id}
                aria-pressed={selected === cell.cell_id}
                onClick={() => onSelect(cell.cell_id)}
              >
                <span className="rank">{rank}</span>
                <span className="hotspot-name">
                  <b>{nameOf(cell.cell_id)}</b>
                  <small>{shortId(cell.cell_id)}</small>
                </span>
                <span className="hotspot-ratio">
                  {percent(now.ratio)}
                  <Trend change={trend_ratio_30min} />
                </span>
                <span className="hotspot-levels">
                  <LevelChip level={now.level} small />
                  <span aria-hidden="true">→</span>
                  <LevelChip level={now.forecast?.level ?? "unknown"} small />
                  <Speeds cell={now} horizonMinutes={horizonMinutes} />
                </span>
              </button>
            </li>
          );
        })}
      </ol>
    </section>
  );
}

/** The speed now and, where it is known, the one expected. */
function Speeds({ cell, horizonMinutes }: { cell: ScoredWindow; horizonMinutes: number }): JSX.Element {
  const { speed, speedUnit } = useMeasures();
  const now = speed(speedNow(cell));
  const expected = cell.forecast?.expected_speed_mph;
  if (expected == null) return (
    <span className="hotspot-speed">
      {now} {speedUnit}
    </span>
  );
  return (
    <span className="hotspot-speed" title={texts.hotspots.speedsTitle(now, speed(expected), horizonMinutes, speedUnit)}>
      {texts.hotspots.speeds(now, speed(expected), speedUnit)}
    </span>
  );
}

/** Change of the ratio that is worth an arrow. */
const NOTABLE = 0.03;

function Trend({ change }: { change: number | null }): JSX.Element | null {
  if (change === null) return null;
  const [sign, words] =
    change < -NOTABLE ? ["▼", texts.hotspots.worse] : change > NOTABLE ? ["▲", texts.hotspots.better] : ["•", texts.hotspots.same];
  return (
    <span className={`trend trend-${sign === "▼" ? "worse" : sign === "▲" ? "better" : "same"}`} title={words} aria-label={words}>
      {sign}
    </span>
  );
}
