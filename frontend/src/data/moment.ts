/** Which moment is shown: now, or one of the past, standing or played back. Pure steps. */

/** Playback speeds: how many times as fast as it happened. */
export const RATES = [1, 5, 15, 30, 60] as const;
export const FASTEST: number = 60;

export interface Past {
  /** End of a window, in ms. */
  readonly at: number;
  readonly playing: boolean;
  readonly rate: number;
}

/** Null is live. */
export type Moment = Past | null;

/** The end of the last window that is over at `ms`. */
export function windowEnd(ms: number, windowMinutes: number): number {
  const window = windowMinutes * 60_000;
  return Math.floor(ms / window) * window;
}

/** The end of a window that is nearest to `ms`: where a chart has its point. */
export function nearestEnd(ms: number, windowMinutes: number): number {
  return windowEnd(ms + (windowMinutes * 60_000) / 2, windowMinutes);
}

/** So many windows on or back from what is shown, standing; never past the newest. */
export function stepped(moment: Moment, windows: number, windowMinutes: number, newest: number): Past {
  const from = moment?.at ?? newest;
  const at = Math.min(windowEnd(from, windowMinutes) + windows * windowMinutes * 60_000, newest);
  return { at, playing: false, rate: moment?.rate ?? FASTEST };
}

/** The next moment of a playback; at its end it is live again. */
export function played(past: Past, windowMinutes: number, newest: number): Moment {
  const at = past.at + windowMinutes * 60_000;
  return at >= newest ? null : { ...past, at };
}

/** How long a window stands on the screen, in ms. */
export function standsFor(rate: number, windowMinutes: number): number {
  return (windowMinutes * 60_000) / rate;
}
