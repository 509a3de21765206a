/** One colour per level, from Okabe and Ito's palette: told apart with every common colour vision, and by lightness alone. */
import type { Level } from "./data/messages";

export const LEVEL_COLORS: Readonly<Record<Level, string>> = {
  low: "#56b4e9",
  medium: "#f0c040",
  high: "#e0561b",
  unknown: "#66758a",
};

/** How far off a forecast was: other hues than the levels'. */
export const ERROR_COLORS: Readonly<Record<Level, string>> = {
  low: "#2f6f6a",
  medium: "#e3a9dc",
  high: "#d6249f",
  unknown: "#66758a",
};

export const THEMES = ["dark", "light"] as const;
export type Theme = (typeof THEMES)[number];

/** What is drawn on canvases, where the style sheet does not reach. */
export const DRAWN: Readonly<
  Record<
    Theme,
    {
      selection: string;
      vehicle: string;
      water: string;
      land: string;
      edge: string;
      axis: string;
      grid: string;
      future: string;
      futureEdge: string;
      seen: string;
      foretold: string;
      speed: string;
      freeFlow: string;
    }
  >
> = {
  dark: {
    selection: "#ffffff",
    vehicle: "#e8f4ff",
    water: "#0b121b",
    land: "#141f2d",
    edge: "#2c3f56",
    axis: "#8fa3ba",
    grid: "#1d2a3a",
    future: "rgba(240, 192, 64, 0.07)",
    futureEdge: "rgba(240, 192, 64, 0.55)",
    seen: "#e0561b",
    foretold: "#f0c040",
    speed: "#9cc9f0",
    freeFlow: "#66758a",
  },
  light: {
    selection: "#101820",
    vehicle: "#1b2a3a",
    water: "#dde6ee",
    land: "#f5f7f9",
    edge: "#b4c3d3",
    axis: "#4c5f73",
    grid: "#dde5ed",
    future: "rgba(154, 107, 0, 0.08)",
    futureEdge: "rgba(154, 107, 0, 0.6)",
    seen: "#c8440c",
    foretold: "#9a6b00",
    speed: "#1f6fad",
    freeFlow: "#66758a",
  },
};
