import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LiveStream, retryDelayMs, streamUrl } from "../src/data/stream";

class FakeSocket {
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  closed = false;
  close(): void {
    this.closed = true;
  }
  say(type: "snapshot" | "update", sequence: number, dataTime = "2026-03-03T17:00:00Z"): void {
    const message = { type, schema_version: 1, sequence, cells: [], vehicles: [], vehicles_gone: [], summary: { data_time_utc: dataTime } };
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

let sockets: FakeSocket[];
let stream: LiveStream;
const newest = (): FakeSocket => sockets.at(-1)!;

beforeEach(() => {
  vi.useFakeTimers();
  sockets = [];
  stream = new LiveStream({
    url: "ws://host/ws/stream",
    pushSeconds: 2,
    open: () => {
      sockets.push(new FakeSocket());
      return newest() as unknown as WebSocket;
    },
  });
  stream.start();
});

afterEach(() => {
  stream.stop();
  vi.useRealTimers();
});

describe("LiveStream", () => {
  it("is live after the snapshot", () => {
    expect(stream.get().phase).toBe("connecting");
    newest().say("snapshot", 5);
    expect(stream.get()).toMatchObject({ phase: "live", city: { sequence: 5 } });
  });

  it("connects again after a loss and keeps the last picture meanwhile", () => {
    newest().say("snapshot", 5);
    newest().onclose?.();
    expect(stream.get()).toMatchObject({ phase: "reconnecting", city: { sequence: 5 } });
    vi.advanceTimersByTime(1_000);
    expect(sockets).toHaveLength(2);
    newest().say("snapshot", 9);
    expect(stream.get()).toMatchObject({ phase: "live", retryAt: null, city: { sequence: 9 } });
  });

  it("asks for a new snapshot after a gap", () => {
    newest().say("snapshot", 5);
    newest().say("update", 7);
    expect(sockets[0]!.closed).toBe(true);
    vi.advanceTimersByTime(1_000);
    newest().say("snapshot", 8);
    newest().say("update", 9);
    expect(stream.get()).toMatchObject({ phase: "live", city: { sequence: 9 } });
  });

  it("waits longer after each failed attempt", () => {
    for (const wait of [500, 500, 500]) {
      newest().onclose?.();
      const before = sockets.length;
      vi.advanceTimersByTime(wait - 1);
      expect(sockets).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(sockets).toHaveLength(before + 1);
    }
  });

  it("is stale in silence, then gives the connection up", () => {
    newest().say("snapshot", 5);
    vi.advanceTimersByTime(9_000);
    expect(stream.get().phase).toBe("stale");
    vi.advanceTimersByTime(17_000);
    expect(sockets.length).toBeGreaterThan(1);
    expect(sockets[0]!.closed).toBe(true);
  });

  it("is live again with the next message", () => {
    newest().say("snapshot", 5);
    vi.advanceTimersByTime(9_000);
    newest().say("update", 6);
    expect(stream.get().phase).toBe("live");
  });

  it("remembers when the data's own time last moved", () => {
    newest().say("snapshot", 5);
    const first = stream.get().dataMovedAt;
    vi.advanceTimersByTime(4_000);
    newest().say("update", 6);
    expect(stream.get().dataMovedAt).toBe(first);
    newest().say("update", 7, "2026-03-03T17:02:00Z");
    expect(stream.get().dataMovedAt).toBe(first! + 4_000);
  });

  it("does not connect again once it was stopped", () => {
    newest().onclose?.();
    stream.stop();
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
  });
});

describe("retryDelayMs", () => {
  it("stays short while a server restarts, then doubles up to fifteen seconds", () => {
    expect([0, 1, 9, 10, 11, 14, 15, 40].map(retryDelayMs)).toEqual([
      500, 500, 500, 1_000, 2_000, 15_000, 15_000, 15_000,
    ]);
  });
});

describe("streamUrl", () => {
  it("stays on the page's host and keeps its encryption", () => {
    expect(streamUrl({ protocol: "http:", host: "127.0.0.1:5000" })).toBe("ws://127.0.0.1:5000/ws/stream");
    expect(streamUrl({ protocol: "https:", host: "traffic.example" })).toBe("wss://traffic.example/ws/stream");
  });
});
