/** Where places lie and what they are called, whatever they are: H3 cells, or road sensors. */
import { useEffect, useMemo, useState } from "react";
import { loadGrid } from "./h3";
import type { Config } from "./messages";
import { pointNamer, shortId, type Point } from "./places";
import type { Measures } from "./units";

export interface Grid {
  /** Centre of a place, or null where the id names none that is known. */
  center: (cellId: string) => Point | null;
  /** Corners of a place as [longitude, latitude]; none for a point. */
  boundary: (cellId: string) => [number, number][];
}

export function sensorGrid(places: Config["places"]): Grid {
  return { center: (cellId) => places[cellId] ?? null, boundary: () => [] };
}

/** Null until it is known where places lie: for cells that takes a library, which comes after the first frame. */
export function useGrid(config: Config | null): Grid | null {
  const [cells, setCells] = useState<Grid | null>(null);
  const kind = config?.city.place_kind;
  useEffect(() => {
    if (kind !== "h3") return;
    let wanted = true;
    requestAnimationFrame(() => void loadGrid().then((loaded) => wanted && setCells(loaded)));
    return () => {
      wanted = false;
    };
  }, [kind]);
  const sensors = useMemo(() => (config?.city.place_kind === "sensor" ? sensorGrid(config.places) : null), [config]);
  return sensors ?? cells;
}

export type Namer = (cellId: string) => string;

/** Names for places; the short id until it is known where they lie. */
export function useNamer(config: Config | null, measures: Measures): Namer {
  const grid = useGrid(config);
  return useMemo(() => {
    if (!config || !grid) return shortId;
    const name = pointNamer(config.city.bounds, config.outline, measures);
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
  }, [config, grid, measures]);
}
