/** The history of the places that a filter leaves. */
import { useRef } from "react";
import { usePolled } from "./api";
import type { Filter } from "./filter";
import type { ScoredWindow, SeriesPoint } from "./messages";

/** So many ids fit into an address. */
export const MOST_PLACES = 180;
const REFRESH_SECONDS = 30;

export interface Chosen {
  /** How many places pass; null: nothing is filtered. */
  places: number | null;
  /** Null where the whole city's history stands in: more pass than fit into a question, or none does. */
  series: SeriesPoint[] | null;
}

/** `path`: question for the whole city's history. Places come and go with each window, so the question is put together anew only with it. */
export function useChosenSeries(filter: Filter | null, cells: readonly ScoredWindow[], path: string | null): Chosen {
  const asked = useRef<{ filter: Filter | null; path: string | null; some: boolean; cells: string | null }>({ filter: null, path: null, some: false, cells: null });
  const some = cells.length > 0;
  if (asked.current.filter !== filter || asked.current.path !== path || asked.current.some !== some) {
    const few = filter !== null && some && cells.length <= MOST_PLACES;
    asked.current = { filter, path, some, cells: few ? cells.map((cell) => encodeURIComponent(cell.cell_id)).join(",") : null };
  }
  const question = path && asked.current.cells ? `${path}&cells=${asked.current.cells}` : null;
  const { data } = usePolled<{ series: SeriesPoint[] }>(question, REFRESH_SECONDS);
  return { places: filter === null ? null : cells.length, series: question ? (data?.series ?? []) : null };
}
