/** Numbers and times as people read them. A value that is not there is an en dash, never a zero. */

const NONE = "–";
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat("en-US", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat("en-US", { notation: "compact", maximumSignificantDigits: 3 });

type Maybe = number | null | undefined;

function isNumber(value: Maybe): value is number {
  return typeof value === "number" && Number.isFinite(value);
}

export function count(value: Maybe): string {
  return isNumber(value) ? whole.format(value) : NONE;
}

/** 1234567 as "1.23M". */
export function shortCount(value: Maybe): string {
  return isNumber(value) ? (Math.abs(value) < 10_000 ? whole.format(value) : compact.format(value)) : NONE;
}

/** A share 0..1 as percent. */
export function percent(share: Maybe, decimals = 0): string {
  return isNumber(share) ? `${(share * 100).toFixed(decimals)}%` : NONE;
}

/** The signed difference of two shares, in percentage points. */
export function points(difference: Maybe): string {
  if (!isNumber(difference)) return NONE;
  const value = difference * 100;
  const text = Math.abs(value).toFixed(1);
  return `${text === "0.0" ? "±" : value > 0 ? "+" : "−"}${text}`;
}

export function seconds(value: Maybe): string {
  if (!isNumber(value)) return NONE;
  if (value < 1) return `${Math.max(0, Math.round(value * 1000))} ms`;
  if (value < 120) return `${oneDecimal.format(value)} s`;
  return `${whole.format(value / 60)} min`;
}

export function bytes(value: Maybe): string {
  if (!isNumber(value)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${unit === 0 || scaled >= 100 ? scaled.toFixed(0) : scaled.toFixed(1)} ${units[unit]}`;
}

/** Hour and minute in the city's time zone. */
export function clock(utc: string | null | undefined, timeZone: string): string {
  return time(utc, timeZone, { hour: "2-digit", minute: "2-digit", hour12: false });
}

/** Weekday, date, hour and minute in the city's time zone. */
export function dateAndClock(utc: string | null | undefined, timeZone: string): string {
  return time(utc, timeZone, {
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    hour12: false,
  });
}

function time(utc: string | null | undefined, timeZone: string, options: Intl.DateTimeFormatOptions): string {
  const date = utc ? new Date(utc) : null;
  if (!date || Number.isNaN(date.getTime())) return NONE;
  return new Intl.DateTimeFormat("en-GB", { ...options, timeZone }).format(date);
}
