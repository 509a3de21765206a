/** Where H3 cells lie. The library comes in its own file after the first frame. */
import { useEffect, useMemo, useState } from "react";
import type { Config } from "./messages";
import { pointNamer, shortId, type Point } from "./places";

export interface Grid {
  /** Centre of a cell, or null where the id is none of H3's. */
  center: (cellId: string) => Point | null;
  /** Corners of a cell as [longitude, latitude]. */
  boundary: (cellId: string) => [number, number][];
}

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

export function useGrid(): Grid | null {
  const [grid, setGrid] = useState<Grid | null>(null);
  useEffect(() => {
    let wanted = true;
    requestAnimationFrame(() => void loadGrid().then((loaded) => wanted && setGrid(loaded)));
    return () => {
      wanted = false;
    };
  }, []);
  return grid;
}

export type Namer = (cellId: string) => string;

/** Names for cells; the short id until the grid is there, or where the id is a sensor's. */
export function useNamer(config: Config | null): Namer {
  const grid = useGrid();
  return useMemo(() => {
    if (!config || !grid) return shortId;
    const name = pointNamer(config.city.bounds, config.outline);
    const known = new Map<string, string>();
    return (cellId) => {
      let found = known.get(cellId);
      if (found === undefined) {
        const center = grid.center(cellId);
        found = center ? name(center) : shortId(cellId);
        known.set(cellId, found);
      }
      return found;
    };
  }, [config, grid]);
}
