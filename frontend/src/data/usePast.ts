/** The city of a past moment, asked of the API; and the hand that turns the pages in a playback. */
import { useEffect, useMemo, useRef } from "react";
import { usePolled } from "./api";
import { isoOf } from "./link";
import { played, standsFor, type Moment } from "./moment";
import type { Prediction, ScoredWindow, SeriesPoint } from "./messages";
import { cityAt, NO_OUTCOMES, outcomesOf, type Outcomes } from "./past";
import type { Lengths } from "./series";
import type { CityState } from "./state";

const RETRY_SECONDS = 5;
const NO_PREDICTIONS: Prediction[] = [];

export interface PastCity {
  /** The moment's city; the one before until it is there; null while there is none. */
  city: CityState | null;
  outcomes: Outcomes;
  error: Error | null;
}

export function usePast(moment: Moment, series: readonly SeriesPoint[], lengths: Lengths): PastCity & { arrived: boolean } {
  const at = moment ? isoOf(moment.at) : null;
  const traffic = usePolled<{ cells: ScoredWindow[] }>(at && `/api/current-traffic?at=${at}`, RETRY_SECONDS, true);
  const foretold = usePolled<{ predictions: Prediction[] }>(at && `/api/predictions?at=${at}`, RETRY_SECONDS, true);
  const predictions = foretold.data?.predictions ?? NO_PREDICTIONS;
  const shown = traffic.path ? Date.parse(traffic.path.slice(traffic.path.indexOf("at=") + 3)) : null;
  const city = useMemo(
    () => (shown !== null && traffic.data ? cityAt(shown, traffic.data.cells, predictions, series, lengths) : null),
    [shown, traffic.data, predictions, series, lengths],
  );
  const outcomes = useMemo(() => outcomesOf(predictions), [predictions]);
  const arrived = at !== null && [traffic, foretold].every((answer) => answer.path?.endsWith(`at=${at}`));
  if (!moment) return { city: null, outcomes: NO_OUTCOMES, error: null, arrived: false };
  return { city, outcomes, error: traffic.error ?? foretold.error, arrived };
}

/** Goes on by a window when the one before has been shown for its time. A slow API slows the playback down, it skips nothing. */
export function usePlayback(moment: Moment, arrived: boolean, windowMinutes: number, newest: number | null, onMove: (next: Moment) => void): void {
  // What a live city changes with each of its messages is no reason to wait again: the page would never be turned.
  const latest = useRef({ newest, onMove });
  latest.current = { newest, onMove };
  const known = newest !== null;
  useEffect(() => {
    if (!moment?.playing || !arrived || !known) return;
    const turn = (): void => latest.current.onMove(played(moment, windowMinutes, latest.current.newest!));
    const timer = setTimeout(turn, standsFor(moment.rate, windowMinutes));
    return () => clearTimeout(timer);
  }, [moment, arrived, windowMinutes, known]);
}
