import { useMemo } from "react";
import { count } from "../data/format";
import type { Namer } from "../data/geography";
import type { PlaceKind, ScoredWindow } from "../data/messages";
import { shortId } from "../data/places";
import { useMeasures } from "../data/units";
import { speedNow } from "../data/speed";
import { texts } from "../texts";
import { LevelChip } from "./LevelChip";

interface PlacesTableProps {
  reason: string;
  kind: PlaceKind;
  /** Places that pass the filter. */
  cells: readonly ScoredWindow[];
  nameOf: Namer;
  selected: string | null;
  onSelect: (cellId: string) => void;
}

const MOST_ROWS = 300;

/** The places as a table, slowest first: in place of the map where it can't be drawn. */
export function PlacesTable({ reason, kind, cells, nameOf, selected, onSelect }: PlacesTableProps): JSX.Element {
  const { speed, speedUnit } = useMeasures();
  const rows = useMemo(
    () => [...cells].sort((a, b) => (a.ratio ?? Infinity) - (b.ratio ?? Infinity)).slice(0, MOST_ROWS),
    [cells],
  );
  return (
    <div className="places-table" data-testid="places-table">
      <p>{reason}</p>
      <table>
        <thead>
          <tr>
            <th scope="col">{texts.table.place}</th>
            <th scope="col">{texts.table.level}</th>
            <th scope="col">{texts.table.forecast}</th>
            <th scope="col">{speedUnit}</th>
            {kind === "h3" ? <th scope="col">{texts.table.vehicles}</th> : null}
          </tr>
        </thead>
        <tbody>
          {rows.map((cell) => (
            <tr key={cell.cell_id} aria-selected={selected === cell.cell_id}>
              <th scope="row">
                <button type="button" onClick={() => onSelect(cell.cell_id)}>
                  {nameOf(cell.cell_id)} <small>{shortId(cell.cell_id)}</small>
                </button>
              </th>
              <td>
                <LevelChip level={cell.level} small />
              </td>
              <td>
                <LevelChip level={cell.forecast?.level ?? "unknown"} small />
              </td>
              <td>{speed(speedNow(cell))}</td>
              {kind === "h3" ? <td>{count(cell.vehicle_count)}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
