/** Control of the simulation that feeds the platform; the past on the screen has nothing to do with it. */
import { ApiError, getJson } from "./api";

export interface ReplayState {
  state: "running" | "paused" | "ended" | "none";
  speed: number | null;
  /** Recorded time that is being sent now. */
  position_utc: string | null;
  from_utc: string | null;
  to_utc: string | null;
  events_sent: number | null;
  events_per_second: number | null;
}

export type ReplayAction = { action: "pause" } | { action: "resume" } | { action: "seek"; to: string } | { action: "speed"; speed: number };

/** Speeds to choose from, with the present one among them. */
export function speedsWith(current: number | null): number[] {
  const usual = [1, 2, 5, 10, 30, 60];
  return current === null || usual.includes(current) ? usual : [...usual, current].sort((a, b) => a - b);
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
