import type { Level } from "../data/messages";
import { LEVEL_COLORS } from "../palette";
import { LEVEL_NAMES } from "../texts";

/** A level as colour and word, so that neither is needed alone. */
export function LevelChip({ level, small = false }: { level: Level; small?: boolean }): JSX.Element {
  return (
    <span className={small ? "chip chip-small" : "chip"} data-level={level}>
      <i style={{ background: LEVEL_COLORS[level] }} aria-hidden="true" />
      {LEVEL_NAMES[level]}
    </span>
  );
}
