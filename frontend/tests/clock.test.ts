import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Clock } from "../src/map/clock";

/** A loop that draws as luma.gl's does: each frame asks for the next. */
function loop(clock: Clock): { drawn: number } {
  const seen = { drawn: 0 };
  const draw = (): void => {
    seen.drawn += 1;
    clock.requestAnimationFrame(draw);
  };
  clock.requestAnimationFrame(draw);
  return seen;
}

describe("Clock", () => {
  let clock: Clock;

  beforeEach(() => {
    vi.useFakeTimers();
    vi.stubGlobal("requestAnimationFrame", (draw: () => void) => setTimeout(draw, 16));
    vi.stubGlobal("cancelAnimationFrame", clearTimeout);
    clock = new Clock(() => undefined, Date.now);
  });

  afterEach(() => {
    vi.unstubAllGlobals();
    vi.useRealTimers();
  });

  it("draws a few frames a second while nothing moves", () => {
    const seen = loop(clock);
    vi.advanceTimersByTime(10_000);
    expect(seen.drawn).toBeGreaterThan(30);
    expect(seen.drawn).toBeLessThan(45);
  });

  it("draws at once and every frame when woken, and calms down again", () => {
    const seen = loop(clock);
    vi.advanceTimersByTime(1_000);
    const before = seen.drawn;
    clock.wake();
    vi.advanceTimersByTime(20);
    expect(seen.drawn).toBe(before + 1);
    vi.advanceTimersByTime(480);
    expect(seen.drawn - before).toBeGreaterThan(28);
    vi.advanceTimersByTime(1_000);
    const calm = seen.drawn;
    vi.advanceTimersByTime(1_000);
    expect(seen.drawn - calm).toBeLessThan(5);
  });

  it("draws no frame twice, however often it is woken", () => {
    const seen = loop(clock);
    for (let turn = 0; turn < 10; turn += 1) clock.wake();
    vi.advanceTimersByTime(17);
    expect(seen.drawn).toBe(1);
  });

  it("draws nothing once it is stopped", () => {
    const seen = loop(clock);
    clock.cancelAnimationFrame();
    clock.wake();
    vi.advanceTimersByTime(5_000);
    expect(seen.drawn).toBe(0);
  });
});
