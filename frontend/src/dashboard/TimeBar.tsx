import { useEffect, useState } from "react";
import { dateAndClock } from "../data/format";
import { FASTEST, RATES, stepped, windowEnd, type Moment } from "../data/moment";
import { texts } from "../texts";

interface TimeBarProps {
  moment: Moment;
  /** End of the newest window in ms; null before there is data. */
  newest: number | null;
  windowMinutes: number;
  timeZone: string;
  /** What to say about the moment: that it loads, or why it can't be shown. */
  note: string | null;
  onMove: (moment: Moment) => void;
  /** Puts a link to what is shown into the address bar and the clipboard. */
  onShare: () => Promise<boolean>;
}

const known = texts.time;
/** Drawn, because not every font has these signs. */
const ICONS = {
  back: "M3 2h2v12H3zM14 2v12L6 8z",
  pause: "M3 2h4v12H3zM9 2h4v12H9z",
  play: "M4 2l10 6-10 6z",
  forward: "M11 2h2v12h-2zM2 2l8 6-8 6z",
};
const HOUR_MS = 3_600_000;

/** Live, or any moment of the past: pause, step, play back, slide. */
export function TimeBar({ moment, newest, windowMinutes, timeZone, note, onMove, onShare }: TimeBarProps): JSX.Element {
  const [hours, setHours] = useState<number>(known.spans[1][0]);
  const [rate, setRate] = useState<number>(moment?.rate ?? FASTEST);
  const end = newest ?? 0;
  const at = moment?.at ?? end;
  const first = Math.min(windowEnd(end - hours * HOUR_MS, windowMinutes), at);
  const clock = dateAndClock(new Date(at).toISOString(), timeZone);
  const move = (past: { at?: number; playing?: boolean; rate?: number }): void => onMove({ at, playing: false, rate, ...moment, ...past });
  return (
    <section className="panel time" aria-label={known.title} data-testid="time" data-mode={moment === null ? "live" : moment.playing ? "playing" : "paused"}>
      <div className="time-buttons" role="group" aria-label={known.title}>
        <IconButton name={known.back} path={ICONS.back} disabled={newest === null} onClick={() => onMove(stepped(moment, -1, windowMinutes, end))} />
        {moment === null || moment.playing ? (
          <IconButton name={known.pause} path={ICONS.pause} disabled={newest === null} onClick={() => move({ playing: false })} />
        ) : (
          <IconButton name={known.play} path={ICONS.play} disabled={at >= end} onClick={() => move({ playing: true })} />
        )}
        <IconButton name={known.forward} path={ICONS.forward} disabled={moment === null || at >= end} onClick={() => onMove(stepped(moment, 1, windowMinutes, end))} />
      </div>
      <select
        aria-label={known.rate}
        value={rate}
        onChange={(event) => {
          const chosen = Number(event.target.value);
          setRate(chosen);
          if (moment) move({ rate: chosen });
        }}
      >
        {RATES.map((each) => (
          <option key={each} value={each}>
            ×{each}
          </option>
        ))}
      </select>
      <input
        type="range"
        aria-label={known.slider}
        aria-valuetext={clock}
        min={first}
        max={Math.max(end, first + 1)}
        step={windowMinutes * 60_000}
        value={at}
        disabled={newest === null}
        onChange={(event) => move({ at: Math.min(Number(event.target.value), end), playing: false })}
      />
      <select aria-label={known.span} value={hours} onChange={(event) => setHours(Number(event.target.value))}>
        {known.spans.map(([length, name]) => (
          <option key={length} value={length}>
            {name}
          </option>
        ))}
      </select>
      {/* Its room is kept while live, or the slider would shrink under the hand that has just taken hold of it. */}
      <button type="button" className="to-live" disabled={moment === null} onClick={() => onMove(null)}>
        {known.toLive}
      </button>
      <Share onShare={onShare} />
      <p className="time-note" role="status">
        {note ?? (moment === null ? null : moment.playing ? known.past : known.paused)}
      </p>
    </section>
  );
}

interface IconButtonProps {
  name: string;
  path: string;
  disabled: boolean;
  onClick: () => void;
}

function IconButton({ name, path, disabled, onClick }: IconButtonProps): JSX.Element {
  return (
    <button type="button" aria-label={name} title={name} disabled={disabled} onClick={onClick}>
      <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
        <path d={path} fill="currentColor" />
      </svg>
    </button>
  );
}

const SAID_MS = 3_000;

function Share({ onShare }: { onShare: () => Promise<boolean> }): JSX.Element {
  const [said, setSaid] = useState<string | null>(null);
  useEffect(() => {
    if (said === null) return;
    const timer = setTimeout(() => setSaid(null), SAID_MS);
    return () => clearTimeout(timer);
  }, [said]);
  return (
    <button
      type="button"
      className="share"
      title={known.shareTitle}
      onClick={() => void onShare().then((copied) => setSaid(copied ? known.shared : known.notShared))}
    >
      <span aria-live="polite">{said ?? known.share}</span>
    </button>
  );
}
