/** Dark or light: as the system says, until somebody chooses. */
import { createContext, useCallback, useEffect, useState } from "react";
import type { Theme } from "../palette";

const KEY = "theme";

function chosen(): Theme | null {
  try {
    const found = localStorage.getItem(KEY);
    return found === "dark" || found === "light" ? found : null;
  } catch {
    // Storage can be forbidden.
    return null;
  }
}

/** Puts the chosen theme on the page; without a choice the style sheet follows the system. */
export function applyTheme(): void {
  const theme = chosen();
  if (theme) document.documentElement.dataset["theme"] = theme;
}

const LIGHT = "(prefers-color-scheme: light)";

/** The theme shown, and the switch to the other one. */
export function useThemeChoice(): [Theme, () => void] {
  const [choice, setChoice] = useState(chosen);
  const [system, setSystem] = useState<Theme>(() => (matchMedia(LIGHT).matches ? "light" : "dark"));
  useEffect(() => {
    const query = matchMedia(LIGHT);
    const follow = (): void => setSystem(query.matches ? "light" : "dark");
    query.addEventListener("change", follow);
    return () => query.removeEventListener("change", follow);
  }, []);
  const theme = choice ?? system;
  const change = useCallback(() => {
    const other = theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, other);
    } catch {
      // Then it holds for this visit.
    }
    document.documentElement.dataset["theme"] = other;
    setChoice(other);
  }, [theme]);
  return [theme, change];
}

/** For what draws by itself and so can't read the style sheet: charts and maps. */
export const ThemeContext = createContext<Theme>("dark");

/** Pixels of one rem: what draws by itself grows with the rest of the page on a wall. */
export function remPixels(): number {
  return Number.parseFloat(getComputedStyle(document.documentElement).fontSize);
}

/** The font of axes. */
export function axisFont(): string {
  return `${Math.round(0.79 * remPixels())}px system-ui, sans-serif`;
}
