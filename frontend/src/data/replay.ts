/** Control of the simulation that feeds the platform; the past on the screen has nothing to do with it. */
import { ApiError, getJson } from "./api";

export interface ReplayState {
  state: "running" | "paused" | "ended" | "none";
  /** Recorded seconds a second; null: as fast as it can. */
  speed: number | null;
  /** Recorded time that is being sent now. */
  position_utc: string | null;
  from_utc: string | null;
  to_utc: string | null;
  /** Whether events are dated now; only those dated as recorded may come as fast as it can. */
  moved_to_now: boolean | null;
  events_sent: number | null;
  events_per_second: number | null;
  /** Whether something asked for is not carried out yet. */
  pending: boolean;
  /** Why the last command was not carried out. */
  refused: string | null;
}

export const FASTEST = "max";
export type Speed = number | typeof FASTEST;

export type ReplayAction = { action: "pause" } | { action: "resume" } | { action: "seek"; to: string } | { action: "speed"; speed: Speed };

/** Speeds to choose from, with the present one among them. */
export function speedsOf({ speed, moved_to_now }: Pick<ReplayState, "speed" | "moved_to_now">): Speed[] {
  const usual = [1, 2, 5, 10, 30, 60];
  const numbers = speed === null || usual.includes(speed) ? usual : [...usual, speed].sort((a, b) => a - b);
  return speed === null || moved_to_now === false ? [...numbers, FASTEST] : numbers;
}

export const REPLAY = "/api/replay";

export async function control(action: ReplayAction, token: string): Promise<ReplayState> {
  return getJson<ReplayState>(REPLAY, undefined, {
    method: "POST",
    body: JSON.stringify(action),
    headers: { Accept: "application/json", "Content-Type": "application/json", Authorization: `Bearer ${token}` },
  });
}

/** Whether an answer says that the token is wrong, so that it is asked for again. */
export function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && (error.status === 401 || error.status === 403);
}

const KEY = "replay-token";

/** The token as typed, for as long as the browser's tab is open. */
export const kept = {
  read: (): string => {
    try {
      return sessionStorage.getItem(KEY) ?? "";
    } catch {
      return "";
    }
  },
  write: (token: string): void => {
    try {
      if (token) sessionStorage.setItem(KEY, token);
      else sessionStorage.removeItem(KEY);
    } catch {
      // Then it holds until the page is left.
    }
  },
};
