/** Miles or kilometres. Everything inside is mph and miles; only what people read is converted, and only here. */
import { createContext, useCallback, useContext, useState } from "react";

export const UNITS = ["imperial", "metric"] as const;
export type Units = (typeof UNITS)[number];

const KM_PER_MILE = 1.609344;
const oneDecimal = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

export interface Measures {
  units: Units;
  speedUnit: string;
  /** A speed in mph as people read it; an en dash where there is none. */
  speed: (mph: number | null | undefined) => string;
  /** A speed in mph as a number in the unit shown, and back. */
  shown: (mph: number) => number;
  mph: (shown: number) => number;
  distance: (miles: number) => string;
}

export function measuresIn(units: Units): Measures {
  const factor = units === "metric" ? KM_PER_MILE : 1;
  return {
    units,
    speedUnit: units === "metric" ? "km/h" : "mph",
    speed: (mph) => (typeof mph === "number" && Number.isFinite(mph) ? oneDecimal.format(mph * factor) : "–"),
    shown: (mph) => mph * factor,
    mph: (shown) => shown / factor,
    distance: (miles) => `${(miles * factor).toFixed(1)} ${units === "metric" ? "km" : "mi"}`,
  };
}

const KEY = "units";

function chosen(): Units | null {
  try {
    return UNITS.find((each) => each === localStorage.getItem(KEY)) ?? null;
  } catch {
    // Storage can be forbidden.
    return null;
  }
}

const MEASURES = { imperial: measuresIn("imperial"), metric: measuresIn("metric") };

/** The units shown, by the installation's setting until somebody chooses; and the switch to the other ones. */
export function useUnitsChoice(byDefault: Units | undefined): [Measures, () => void] {
  const [choice, setChoice] = useState(chosen);
  const units = choice ?? byDefault ?? "imperial";
  const change = useCallback(() => {
    const other = units === "metric" ? "imperial" : "metric";
    try {
      localStorage.setItem(KEY, other);
    } catch {
      // Then it holds for this visit.
    }
    setChoice(other);
  }, [units]);
  return [MEASURES[units], change];
}

const MeasuresContext = createContext<Measures>(MEASURES.imperial);
export const MeasuresProvider = MeasuresContext.Provider;
export const useMeasures = (): Measures => useContext(MeasuresContext);
