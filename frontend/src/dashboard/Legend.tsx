import { LEVELS, type Config } from "../data/messages";
import { LEVEL_COLORS } from "../palette";
import { LEVEL_NAMES, texts } from "../texts";

/** What colour and height mean; the thresholds come from the API. */
export function Legend({ config, forecast }: { config: Config; forecast: boolean }): JSX.Element {
  const { low_from_ratio: lowFrom, high_below_ratio: highBelow, min_vehicles: fewest } = config.levels;
  const kind = config.city.place_kind;
  const meaning = {
    low: texts.level.low(lowFrom),
    medium: texts.level.medium(highBelow, lowFrom),
    high: texts.level.high(highBelow),
    unknown: texts.level.unknown(fewest),
  };
  return (
    <aside className="legend" data-testid="legend">
      <ul>
        {LEVELS.map((level) => (
          <li key={level} title={meaning[level]}>
            <i style={{ background: LEVEL_COLORS[level] }} aria-hidden="true" />
            <b>{LEVEL_NAMES[level]}</b>
            <span>{level === "unknown" ? "" : meaning[level]}</span>
          </li>
        ))}
      </ul>
      <p>{forecast ? texts.map.legendForecast[kind](config.city.horizon_minutes) : texts.map.legend[kind]}</p>
    </aside>
  );
}
