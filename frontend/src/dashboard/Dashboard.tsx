import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { usePolled } from "../data/api";
import { isFiltering, passes, toggled, type Filter } from "../data/filter";
import { dateAndClock } from "../data/format";
import { useNamer } from "../data/geography";
import { isoOf, LIVE_LAYERS, linkText, parseLink, type MapLayer } from "../data/link";
import type { Accuracy, Config, Hotspot, Level, ScoredWindow, SeriesPoint } from "../data/messages";
import { FASTEST, nearestEnd, type Moment } from "../data/moment";
import { levelOn } from "../data/past";
import { historyPath } from "../data/series";
import { EMPTY_CITY, type CityState } from "../data/state";
import { MeasuresProvider, useUnitsChoice } from "../data/units";
import { useChosenSeries } from "../data/useChosenSeries";
import { useLive } from "../data/useLive";
import { usePast, usePlayback, type PastCity } from "../data/usePast";
import type { View } from "../map/view";
import { texts } from "../texts";
import { Links, Mark } from "../shared/Brand";
import { ThemeContext, useThemeChoice } from "../shared/theme";
import { Alerts } from "./Alerts";
import { CityChart } from "./CityChart";
import { Connection } from "./Connection";
import { Details } from "./Details";
import { Filters } from "./Filters";
import { Hotspots } from "./Hotspots";
import { Kpis } from "./Kpis";
import { MapPanel } from "./MapPanel";
import { Down, NoData } from "./Notices";
import { Replay } from "./Replay";
import { TimeBar } from "./TimeBar";

const CONFIG_RETRY_SECONDS = 3;
const HOTSPOT_SECONDS = 6;
const HISTORY_SECONDS = 30;
const HISTORY_HOURS = 6;
/** More than are shown where a filter leaves some out. */
const HOTSPOTS_ASKED = { all: 20, filtered: 500 };
const NO_SERIES: SeriesPoint[] = [];
const NO_ACCURACY: Accuracy = { step_minutes: 15, series: [] };
/** A link is written this long after the view came to rest. */
const LINK_MS = 400;

export function Dashboard(): JSX.Element {
  const { data: config, error } = usePolled<Config>("/api/config", CONFIG_RETRY_SECONDS, true);
  const live = useLive(config?.push_seconds);
  const [measures, switchUnits] = useUnitsChoice(config?.units);
  const nameOf = useNamer(config, measures);
  const [first] = useState(() => parseLink(window.location.hash));
  const [selected, setSelected] = useState<string | null>(first.cell);
  const [layer, setLayer] = useState<MapLayer>(first.layer);
  const [filter, setFilter] = useState<Filter>(first.filter);
  const [moment, setMoment] = useState<Moment>(first.at === null ? null : { at: first.at, playing: false, rate: FASTEST });
  const close = useCallback(() => setSelected(null), []);
  const [theme, switchTheme] = useThemeChoice();

  const horizon = config?.city.horizon_minutes ?? 15;
  const windowMinutes = config?.city.window_minutes ?? 2;
  const leadMinutes = Math.ceil(horizon / windowMinutes) * windowMinutes;
  const lengths = useMemo(() => ({ windowMinutes, leadMinutes }), [windowMinutes, leadMinutes]);
  const newestUtc = live.city.summary?.data_time_utc ?? null;
  const newest = newestUtc === null ? null : Date.parse(newestUtc);
  const hasData = live.city.cells.size > 0 || live.city.vehicles.size > 0;
  const at = moment ? `at=${isoOf(moment.at)}` : "";

  const until = moment ? isoOf(moment.at) : newestUtc;
  const history = usePolled<{ series: SeriesPoint[] }>(
    hasData ? historyPath(until, HISTORY_HOURS, leadMinutes, windowMinutes) : null,
    HISTORY_SECONDS,
  );
  const series = history.data?.series ?? NO_SERIES;

  const accuracy = usePolled<Accuracy>(hasData ? "/api/accuracy" : null, HISTORY_SECONDS).data ?? NO_ACCURACY;

  // A pause keeps what is on the screen, vehicles too, and so does the slider's end; only another moment is asked of the API.
  const held = useRef<{ at: number; city: CityState } | null>(null);
  const isHeld = moment !== null && held.current?.at === moment.at;
  const past = usePast(isHeld ? null : moment, series, lengths);
  const move = useCallback(
    (next: Moment) => {
      if (next === null) {
        held.current = null;
        setLayer((old) => (LIVE_LAYERS.includes(old) ? old : "now"));
      } else if (next.at === newest && !next.playing) held.current = { at: next.at, city: live.city };
      setMoment(next);
    },
    [newest, live.city],
  );
  usePlayback(moment, past.arrived || isHeld, windowMinutes, newest, move);
  const city = moment === null ? live.city : isHeld && held.current ? held.current.city : (past.city ?? held.current?.city ?? EMPTY_CITY);
  const { summary } = city;
  const hotspotQuery = at && !isHeld ? `&${at}` : "";
  const hotspots = usePolled<{ hotspots: Hotspot[] }>(
    hasData ? `/api/hotspots?limit=${isFiltering(filter) ? HOTSPOTS_ASKED.filtered : HOTSPOTS_ASKED.all}${hotspotQuery}` : null,
    HOTSPOT_SECONDS,
    moment !== null,
  );

  const levelOf = useCallback((cell: ScoredWindow) => levelOn(layer, cell, past.outcomes), [layer, past.outcomes]);
  const shows = useCallback((cell: ScoredWindow) => passes(filter, cell, levelOf(cell), nameOf), [filter, levelOf, nameOf]);
  const shown = useMemo(() => [...city.cells.values()].filter(shows), [city.cells, shows]);
  const chosen = useChosenSeries(isFiltering(filter) ? filter : null, shown, historyPath(until, HISTORY_HOURS, leadMinutes, windowMinutes));
  const toggle = useCallback((level: Level) => setFilter((old) => toggled(old, level)), []);
  const goTo = useCallback(
    (seconds: number) => {
      const ends = nearestEnd(seconds * 1_000, windowMinutes);
      if (newest !== null && ends < newest) move({ at: ends, playing: false, rate: moment?.rate ?? FASTEST });
    },
    [newest, windowMinutes, moment?.rate, move],
  );

  const view = useRef<View | null>(first.view);
  const [viewMoved, setViewMoved] = useState(0);
  const onView = useCallback((next: View) => {
    view.current = next;
    setViewMoved((count) => count + 1);
  }, []);
  useEffect(() => {
    const link = (): string => linkText({ cell: selected, layer, at: moment?.at ?? null, view: view.current, filter });
    const timer = setTimeout(() => showLink(link()), LINK_MS);
    return () => clearTimeout(timer);
  }, [selected, layer, moment?.at, viewMoved, filter]);
  useEffect(() => {
    // Another link put into the address bar: begin anew with what it says.
    const again = (): void => window.location.reload();
    window.addEventListener("hashchange", again);
    return () => window.removeEventListener("hashchange", again);
  }, []);
  const share = async (): Promise<boolean> => {
    const text = linkText({ cell: selected, layer, at: moment?.at ?? newest, view: view.current, filter });
    try {
      await navigator.clipboard.writeText(new URL(text, window.location.href).href);
      return true;
    } catch {
      showLink(text);
      return false;
    }
  };

  return (
    <ThemeContext.Provider value={theme}>
      <MeasuresProvider value={measures}>
        <div className="dashboard" data-moment={moment ? "past" : "live"}>
          <header className="top">
            <a className="brand" href="/" title={texts.header.home}>
              <Mark />
              {texts.product}
            </a>
            <h1 className="city">{config?.city.name ?? ""}</h1>
            <span className="data-time">
              {summary?.data_time_utc && config ? (
                <>
                  {texts.header.dataTime} <time dateTime={summary.data_time_utc}>{dateAndClock(summary.data_time_utc, config.city.time_zone)}</time>
                </>
              ) : null}
            </span>
            <Connection live={live} windowMinutes={windowMinutes} past={moment !== null} />
            <nav aria-label={texts.header.links}>{config ? <Links links={config.links} /> : null}</nav>
            <button type="button" className="theme" data-testid="units" title={texts.header.unitsTitle} onClick={switchUnits}>
              {texts.header.units[measures.units]}
            </button>
            <button type="button" className="theme" data-testid="theme" onClick={switchTheme}>
              {texts.header.theme[theme]}
            </button>
          </header>
          <Kpis summary={summary} series={series} accuracy={accuracy} horizonMinutes={horizon} placeKind={config?.city.place_kind ?? "h3"} past={moment !== null && !isHeld} />
          {config && hasData ? (
            <TimeBar
              moment={moment}
              newest={newest}
              windowMinutes={windowMinutes}
              timeZone={config.city.time_zone}
              note={isHeld ? null : pastNote(moment, past)}
              onMove={move}
              onShare={share}
            />
          ) : null}
          <main>
            {error && !config ? (
              <Down reason={error.message} />
            ) : live.city.sequence !== null && !hasData ? (
              <NoData />
            ) : config ? (
              <>
                <MapPanel
                  config={config}
                  city={city}
                  outcomes={past.outcomes}
                  past={moment !== null}
                  nameOf={nameOf}
                  selected={selected}
                  onSelect={setSelected}
                  layer={layer}
                  onLayer={setLayer}
                  firstView={view.current}
                  onView={onView}
                  shows={shows}
                  levelOf={levelOf}
                  hidden={filter.hidden}
                  onToggle={toggle}
                />
                <CityChart
                  series={series}
                  summary={summary}
                  lengths={lengths}
                  timeZone={config.city.time_zone}
                  failed={history.error !== null}
                  past={moment !== null && !isHeld}
                  cells={shown}
                  chosen={chosen}
                  config={config}
                  nameOf={nameOf}
                  selected={selected}
                  onSelect={setSelected}
                  onPick={goTo}
                />
                <div className="side">
                  <Replay timeZone={config.city.time_zone} />
                  <Filters filter={filter} kind={config.city.place_kind} shown={shown.length} all={city.cells.size} onChange={setFilter} />
                  <Alerts timeZone={config.city.time_zone} onSelect={setSelected} />
                  {selected ? (
                    <Details
                      cellId={selected}
                      live={city.cells.get(selected)}
                      at={isHeld ? "" : at}
                      outcome={past.outcomes.get(selected)}
                      config={config}
                      nameOf={nameOf}
                      onClose={close}
                    />
                  ) : null}
                  <Hotspots
                    hotspots={hotspots.data?.hotspots ?? null}
                    cells={city.cells}
                    nameOf={nameOf}
                    selected={selected}
                    horizonMinutes={horizon}
                    shows={shows}
                    filtering={isFiltering(filter)}
                    onSelect={setSelected}
                  />
                </div>
              </>
            ) : (
              <p className="muted loading">{texts.loading}</p>
            )}
          </main>
        </div>
      </MeasuresProvider>
    </ThemeContext.Provider>
  );
}

function pastNote(moment: Moment, past: PastCity): string | null {
  if (moment === null) return null;
  if (past.error) return texts.time.failed(past.error.message);
  if (past.city === null) return texts.time.loading;
  return past.city.cells.size === 0 ? texts.time.empty : null;
}

function showLink(text: string): void {
  if (text !== window.location.hash) window.history.replaceState(null, "", text || window.location.pathname + window.location.search);
}
