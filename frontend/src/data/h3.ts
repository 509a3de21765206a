/** Where H3 cells lie. The library comes in its own file after the first frame. */
import type { Grid } from "./geography";

let loading: Promise<Grid> | null = null;

export function loadGrid(): Promise<Grid> {
  loading ??= import("h3-js").then(({ h3IsValid, h3ToGeo, h3ToGeoBoundary }) => ({
    center: (cellId) => {
      if (!h3IsValid(cellId)) return null;
      const [latitude, longitude] = h3ToGeo(cellId) as [number, number];
      return { latitude, longitude };
    },
    boundary: (cellId) => (h3IsValid(cellId) ? (h3ToGeoBoundary(cellId, true) as [number, number][]) : []),
  }));
  return loading;
}
