/** Reading the REST API, and React hooks that keep an answer fresh. */
import { useEffect, useState } from "react";

/** A refused request; the message is the API's own (RFC 9457 problem details) where it gave one. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal, request: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { headers: { Accept: "application/json" }, signal: signal ?? null, ...request });
  if (!response.ok) {
    const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
    throw new ApiError(response.status, problem.detail ?? problem.title ?? `HTTP ${response.status}`);
  }
  return (await response.json()) as T;
}

export interface Polled<T> {
  data: T | null;
  /** The path that `data` answers: a new path keeps the old answer until its own arrives. */
  path: string | null;
  error: Error | null;
}

const NOTHING = { data: null, path: null, error: null };

/** The newest answer of `path`, asked again every `seconds` (`untilAnswered`: only while there is none). A failure keeps the last answer; null asks nothing. */
export function usePolled<T>(path: string | null, seconds: number, untilAnswered = false): Polled<T> {
  const [state, setState] = useState<Polled<T>>(NOTHING);
  useEffect(() => {
    if (path === null) {
      setState(NOTHING);
      return;
    }
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout>;
    const ask = async (): Promise<void> => {
      try {
        const data = await getJson<T>(path, abort.signal);
        if (abort.signal.aborted) return;
        setState({ data, path, error: null });
        if (untilAnswered) return;
      } catch (error) {
        if (!abort.signal.aborted) setState((old) => ({ ...old, error: error as Error }));
      }
      if (!abort.signal.aborted) timer = setTimeout(() => void ask(), seconds * 1_000);
    };
    void ask();
    return () => {
      abort.abort();
      clearTimeout(timer);
    };
  }, [path, seconds, untilAnswered]);
  return state;
}
