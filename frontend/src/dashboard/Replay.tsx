import { useEffect, useState, type FormEvent } from "react";
import { usePolled } from "../data/api";
import { count, dateAndClock } from "../data/format";
import { isoOf } from "../data/link";
import { control, FASTEST, isRefusal, kept, REPLAY, speedsOf, type ReplayAction, type ReplayState, type Speed } from "../data/replay";
import { texts } from "../texts";

const REFRESH_SECONDS = 5;
/** While a command is not carried out yet: the replay looks for one every second. */
const PENDING_SECONDS = 1;
const STEP_MS = 60_000;
const known = texts.replay;
const named = (speed: Speed): string => (speed === FASTEST ? known.fastest : `×${speed}`);

/** The simulation that feeds the city: whoever has the token may pause it, speed it up or send it elsewhere, for everybody. Nothing where none was started. */
export function Replay({ timeZone }: { timeZone: string }): JSX.Element | null {
  const [open, setOpen] = useState(false);
  const [pending, setPending] = useState(false);
  const polled = usePolled<ReplayState>(REPLAY, pending ? PENDING_SECONDS : open ? REFRESH_SECONDS : 6 * REFRESH_SECONDS).data;
  useEffect(() => setPending(polled?.pending ?? false), [polled]);
  const [answered, setAnswered] = useState<{ after: ReplayState | null; state: ReplayState } | null>(null);
  const [token, setToken] = useState(kept.read);
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [sought, setSought] = useState<number | null>(null);
  // The answer to a command holds until the next poll.
  const replay = answered && answered.after === polled ? answered.state : polled;
  if (!replay || replay.state === "none") return null;
  const send = async (action: ReplayAction): Promise<void> => {
    setProblem(null);
    try {
      const state = await control(action, token);
      setAnswered({ after: polled, state });
      setPending(state.pending);
    } catch (error) {
      if (isRefusal(error)) keep("");
      setProblem((error as Error).message);
    }
    setSought(null);
  };
  const keep = (text: string): void => {
    kept.write(text);
    setToken(text);
    setTyped("");
  };
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    setProblem(null);
    keep(typed.trim());
  };
  const [from, to, at] = [replay.from_utc, replay.to_utc, replay.position_utc].map((time) => (time ? Date.parse(time) : NaN)) as [number, number, number];
  const shown = sought ?? at;
  return (
    <details className="panel replay" data-testid="replay" data-state={replay.state} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>{known.title}</h2>
        <span>
          {known.states[replay.state](named(replay.speed ?? FASTEST))}
          {replay.pending ? ` · ${known.pending}` : null}
        </span>
      </summary>
      <p className="muted">{known.what}</p>
      {Number.isNaN(at) ? null : (
        <p>
          {known.at} <time dateTime={isoOf(shown)}>{dateAndClock(isoOf(shown), timeZone)}</time>
          {replay.events_per_second === null ? null : ` · ${known.rate(count(replay.events_per_second))}`}
        </p>
      )}
      {token ? (
        <div className="replay-controls">
          {replay.state === "running" ? (
            <button type="button" onClick={() => void send({ action: "pause" })}>
              {known.pause}
            </button>
          ) : (
            <button type="button" disabled={replay.state === "ended"} onClick={() => void send({ action: "resume" })}>
              {known.resume}
            </button>
          )}
          <label>
            {known.speed}
            <select value={replay.speed ?? FASTEST} onChange={({ target }) => void send({ action: "speed", speed: target.value === FASTEST ? FASTEST : Number(target.value) })}>
              {speedsOf(replay).map((each) => (
                <option key={each} value={each}>
                  {named(each)}
                </option>
              ))}
            </select>
          </label>
          <button type="button" onClick={() => keep("")}>
            {known.forget}
          </button>
          {[from, to, shown].some(Number.isNaN) ? null : (
            <form
              onSubmit={(event) => {
                event.preventDefault();
                void send({ action: "seek", to: isoOf(shown) });
              }}
            >
              <input type="range" aria-label={known.seek} aria-valuetext={dateAndClock(isoOf(shown), timeZone)} min={from} max={to} step={STEP_MS} value={shown} onChange={({ target }) => setSought(Number(target.value))} />
              <button type="submit" disabled={sought === null}>
                {known.go}
              </button>
            </form>
          )}
        </div>
      ) : (
        <form onSubmit={submit}>
          <label>
            {known.token}
            <input type="password" autoComplete="off" value={typed} onChange={({ target }) => setTyped(target.value)} />
          </label>
          <button type="submit" disabled={!typed.trim()}>
            {known.unlock}
          </button>
        </form>
      )}
      {problem || replay.refused ? (
        <p className="problem" role="alert">
          {problem ?? known.refused(replay.refused ?? "")}
        </p>
      ) : null}
    </details>
  );
}
