import { useState } from "react";
import { count } from "../data/format";
import { isFiltering, NO_FILTER, toggled, type Filter } from "../data/filter";
import { LEVELS, type PlaceKind } from "../data/messages";
import { useMeasures } from "../data/units";
import { LEVEL_NAMES, texts } from "../texts";

interface FiltersProps {
  filter: Filter;
  kind: PlaceKind;
  shown: number;
  all: number;
  onChange: (filter: Filter) => void;
}

const known = texts.filter;

/** What map, lists and charts leave out; folded until somebody wants it. */
export function Filters({ filter, kind, shown, all, onChange }: FiltersProps): JSX.Element {
  const { speedUnit, shown: inUnit, mph } = useMeasures();
  const filtering = isFiltering(filter);
  const [open, setOpen] = useState(filtering);
  const speed = (name: "slowest" | "fastest", label: string): JSX.Element => (
    <input
      type="number"
      min={0}
      step={1}
      aria-label={`${known.speed(speedUnit)} ${label}`}
      placeholder={label}
      value={filter[name] === null ? "" : Math.round(inUnit(filter[name]!) * 10) / 10}
      onChange={({ target }) => onChange({ ...filter, [name]: target.value === "" ? null : Math.round(mph(Math.max(0, Number(target.value))) * 100) / 100 })}
    />
  );
  return (
    <details className="panel filters" data-testid="filters" data-filtering={filtering} open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <h2>{known.title}</h2>
        <span data-testid="filter-count">{filtering ? known.count(count(shown), count(all)) : null}</span>
      </summary>
      <div className="filter-fields">
        <label>
          {known.text}
          <input type="search" value={filter.text} placeholder={known.textHint} onChange={({ target }) => onChange({ ...filter, text: target.value })} />
        </label>
        <fieldset>
          <legend>{known.levels}</legend>
          {LEVELS.map((level) => (
            <label key={level}>
              <input type="checkbox" checked={!filter.hidden.includes(level)} onChange={() => onChange(toggled(filter, level))} />
              {LEVEL_NAMES[level]}
            </label>
          ))}
        </fieldset>
        <fieldset>
          <legend>{known.speed(speedUnit)}</legend>
          {speed("slowest", known.from)}
          {speed("fastest", known.to)}
        </fieldset>
        {kind === "h3" ? (
          <label>
            {known.vehicles}
            <input
              type="number"
              min={0}
              step={1}
              value={filter.fewestVehicles || ""}
              onChange={({ target }) => onChange({ ...filter, fewestVehicles: Math.max(0, Math.floor(Number(target.value))) })}
            />
          </label>
        ) : null}
        <button type="button" disabled={!filtering} onClick={() => onChange(NO_FILTER)}>
          {known.clear}
        </button>
      </div>
    </details>
  );
}
