/** The live connection: a plain WebSocket that comes back by itself, notices gaps and silence, and asks for a fresh snapshot. */
import { applyMessage, EMPTY_CITY, parseMessage, type CityState } from "./state";

export type Phase = "connecting" | "live" | "stale" | "reconnecting" | "outdated";

export interface LiveState {
  readonly city: CityState;
  readonly phase: Phase;
  /** Wall time of the next attempt in ms, while reconnecting. */
  readonly retryAt: number | null;
  /** Wall time at which the data's own time last moved, in ms. */
  readonly dataMovedAt: number | null;
}

export interface StreamOptions {
  url: string;
  /** Seconds between two messages of the server. */
  pushSeconds: number;
  open?: (url: string) => WebSocket;
  now?: () => number;
}

const FIRST_RETRY_MS = 500;
/** A restart of the server takes seconds: for so many attempts it is asked often, so that none of them is waited away. */
const QUICK_RETRIES = 10;
const LAST_RETRY_MS = 15_000;
/** Missed messages after which the picture is called stale, and after which the connection is given up. */
const STALE_PUSHES = 4;
const DEAD_PUSHES = 12;
const LEAST_PATIENCE_MS = 6_000;

/** Wait before attempt `attempt` (0 is the first retry): short at first, then it doubles up to 15 s. */
export function retryDelayMs(attempt: number): number {
  return Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.max(0, attempt - QUICK_RETRIES + 1));
}

export class LiveStream {
  private state: LiveState = { city: EMPTY_CITY, phase: "connecting", retryAt: null, dataMovedAt: null };
  private readonly listeners = new Set<() => void>();
  private socket: WebSocket | null = null;
  private attempt = 0;
  private heardAt = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private watchTimer: ReturnType<typeof setInterval> | null = null;
  private pushSeconds: number;
  private readonly now: () => number;

  constructor(private readonly options: StreamOptions) {
    this.now = options.now ?? Date.now;
    this.pushSeconds = options.pushSeconds;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly get = (): LiveState => this.state;

  /** Seconds between two messages, once the configuration names them. */
  setPushSeconds(seconds: number): void {
    this.pushSeconds = seconds;
  }

  start(): void {
    this.connect();
    this.watchTimer ??= setInterval(() => this.watch(), 1_000);
  }

  stop(): void {
    if (this.retryTimer) clearTimeout(this.retryTimer);
    if (this.watchTimer) clearInterval(this.watchTimer);
    this.retryTimer = this.watchTimer = null;
    this.drop();
  }

  private set(change: Partial<LiveState>): void {
    this.state = { ...this.state, ...change };
    for (const listener of this.listeners) listener();
  }

  private connect(): void {
    this.drop();
    this.retryTimer = null;
    this.heardAt = this.now();
    const socket = (this.options.open ?? ((url) => new WebSocket(url)))(this.options.url);
    this.socket = socket;
    socket.onmessage = (event: MessageEvent) => this.receive(String(event.data));
    socket.onclose = () => this.lost(socket);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = null;
    if (socket) {
      socket.onmessage = socket.onclose = null;
      socket.close();
    }
  }

  private lost(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = null;
    const delay = retryDelayMs(this.attempt);
    this.attempt += 1;
    this.set({ phase: "reconnecting", retryAt: this.now() + delay });
    this.retryTimer = setTimeout(() => this.connect(), delay);
  }

  private receive(text: string): void {
    const message = parseMessage(text);
    if (!message) return;
    this.heardAt = this.now();
    const before = this.state.city;
    const outcome = applyMessage(before, message);
    if (outcome.kind === "ignored") return;
    if (outcome.kind === "outdated") {
      this.stop();
      this.set({ phase: "outdated" });
    } else if (outcome.kind === "gap") {
      // A new connection starts with a snapshot; what is shown stays until it arrives.
      this.lostTrack();
    } else {
      this.attempt = 0;
      const moved = outcome.city.summary?.data_time_utc !== before.summary?.data_time_utc;
      const dataMovedAt = moved ? this.heardAt : this.state.dataMovedAt;
      this.set({ city: outcome.city, phase: "live", retryAt: null, dataMovedAt });
    }
  }

  private lostTrack(): void {
    const socket = this.socket;
    if (!socket) return;
    socket.onmessage = socket.onclose = null;
    socket.close();
    // Through the same doubling wait, so that a server that always skips is not hammered.
    this.lost(socket);
  }

  private watch(): void {
    if (!this.socket) return;
    const silence = this.now() - this.heardAt;
    const push = this.pushSeconds * 1_000;
    if (silence > Math.max(3 * LEAST_PATIENCE_MS, DEAD_PUSHES * push)) this.lostTrack();
    else if (this.state.phase === "live" && silence > Math.max(LEAST_PATIENCE_MS, STALE_PUSHES * push)) {
      this.set({ phase: "stale" });
    }
  }
}

/** The stream's address on the page's own host. */
export function streamUrl(location: { protocol: string; host: string }): string {
  return `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/stream`;
}
