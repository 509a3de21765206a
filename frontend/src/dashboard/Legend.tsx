import type { MapLayer } from "../data/link";
import { LEVELS, type Config, type Level } from "../data/messages";
import { ERROR_COLORS, LEVEL_COLORS } from "../palette";
import { LEVEL_NAMES, texts } from "../texts";

interface LegendProps {
  config: Config;
  layer: MapLayer;
  /** Whether vehicles are on the map. */
  vehicles: boolean;
  hidden: readonly Level[];
  onToggle: (level: Level) => void;
}

/** What colour and height mean; the thresholds come from the API. A level that is clicked leaves the map, or comes back. */
export function Legend({ config, layer, vehicles, hidden, onToggle }: LegendProps): JSX.Element {
  const { low_from_ratio: lowFrom, high_below_ratio: highBelow, min_vehicles: fewest } = config.levels;
  const { place_kind: kind, horizon_minutes: minutes } = config.city;
  const meaning = {
    low: texts.level.low(lowFrom),
    medium: texts.level.medium(highBelow, lowFrom),
    high: texts.level.high(highBelow),
    unknown: texts.level.unknown[kind](fewest),
  };
  const error = layer === "error";
  return (
    <aside className="legend" data-testid="legend" aria-label={texts.map.layer}>
      <ul>
        {LEVELS.map((level) => {
          const name = error ? texts.map.errorNames[level] : LEVEL_NAMES[level];
          return (
            <li key={level}>
              <button type="button" aria-pressed={!hidden.includes(level)} title={texts.map.legendHide(name)} onClick={() => onToggle(level)}>
                <i style={{ background: (error ? ERROR_COLORS : LEVEL_COLORS)[level] }} aria-hidden="true" />
                <b>{name}</b>
                {error ? null : <span>{meaning[level]}</span>}
              </button>
            </li>
          );
        })}
      </ul>
      <p>
        {texts.map.legend[layer](minutes)} {texts.map.legendShape[kind]} {vehicles ? texts.map.legendVehicles : null}
      </p>
    </aside>
  );
}
