/** One colour per level, from Okabe and Ito's palette: told apart with every common colour vision, and by lightness alone. */
import type { Level } from "./data/messages";

export const LEVEL_COLORS: Readonly<Record<Level, string>> = {
  low: "#56b4e9",
  medium: "#f0c040",
  high: "#e0561b",
  unknown: "#66758a",
};

export const SELECTION_COLOR = "#ffffff";
export const VEHICLE_COLOR = "#e8f4ff";
