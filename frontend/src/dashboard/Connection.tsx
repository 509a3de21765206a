import { useEffect, useState } from "react";
import type { LiveState } from "../data/stream";
import { texts } from "../texts";

/** Windows of the data's time without which the data counts as stopped. */
const STOPPED_WINDOWS = 4;

/** The connection's state as a sign in the header; says so too when the data itself has stopped, or what is shown is past. */
export function Connection({ live, windowMinutes, past }: { live: LiveState; windowMinutes: number; past: boolean }): JSX.Element {
  const now = useNow(1_000);
  const stopped =
    live.phase === "live" && live.dataMovedAt !== null && now - live.dataMovedAt > STOPPED_WINDOWS * windowMinutes * 60_000;
  const state = past && live.phase === "live" ? "past" : stopped ? "stopped" : live.phase;
  return (
    <span className={`connection connection-${state}`} data-testid="connection" data-state={state} role="status">
      {/* Drawn anew with each message, so that it beats as the data comes. */}
      <i key={live.city.sequence} aria-hidden="true" />
      {words(live, state, now)}
    </span>
  );
}

function words(live: LiveState, state: string, now: number): string {
  const known = texts.connection;
  switch (state) {
    case "stopped":
    case "past":
      return known[state];
    case "reconnecting":
      return known.reconnecting(Math.max(0, Math.ceil(((live.retryAt ?? now) - now) / 1000)));
    case "live":
    case "stale":
    case "connecting":
    case "outdated":
      return known[state];
    default:
      return state;
  }
}

export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
