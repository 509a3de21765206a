import { useCallback, useMemo, useState } from "react";
import { usePolled } from "../data/api";
import { dateAndClock } from "../data/format";
import { useNamer } from "../data/geography";
import type { Config, Hotspot, SeriesPoint } from "../data/messages";
import { historyPath } from "../data/series";
import { useLive } from "../data/useLive";
import { texts } from "../texts";
import { Links, Mark } from "../shared/Brand";
import { CityChart } from "./CityChart";
import { Connection } from "./Connection";
import { Details } from "./Details";
import { Hotspots } from "./Hotspots";
import { Kpis } from "./Kpis";
import { MapPanel } from "./MapPanel";
import { Down, NoData } from "./Notices";

const CONFIG_RETRY_SECONDS = 3;
const HOTSPOT_SECONDS = 6;
const HISTORY_SECONDS = 30;
const HISTORY_HOURS = 6;
const HOTSPOTS_SHOWN = 20;
const NO_SERIES: SeriesPoint[] = [];

export function Dashboard(): JSX.Element {
  const { data: config, error } = usePolled<Config>("/api/config", CONFIG_RETRY_SECONDS, true);
  const live = useLive(config?.push_seconds);
  const nameOf = useNamer(config);
  const [selected, setSelected] = useState<string | null>(null);
  const close = useCallback(() => setSelected(null), []);

  const { city } = live;
  const { summary } = city;
  const hasData = city.cells.size > 0 || city.vehicles.size > 0;
  const horizon = config?.city.horizon_minutes ?? 15;
  const windowMinutes = config?.city.window_minutes ?? 2;
  const leadMinutes = Math.ceil(horizon / windowMinutes) * windowMinutes;
  const lengths = useMemo(() => ({ windowMinutes, leadMinutes }), [windowMinutes, leadMinutes]);
  const history = usePolled<{ series: SeriesPoint[] }>(
    hasData ? historyPath(summary?.data_time_utc ?? null, HISTORY_HOURS, leadMinutes, windowMinutes) : null,
    HISTORY_SECONDS,
  );
  const hotspots = usePolled<{ hotspots: Hotspot[] }>(hasData ? `/api/hotspots?limit=${HOTSPOTS_SHOWN}` : null, HOTSPOT_SECONDS);
  const series = history.data?.series ?? NO_SERIES;

  return (
    <div className="dashboard">
      <header className="top">
        <a className="brand" href="/" title={texts.header.home}>
          <Mark />
          {texts.product}
        </a>
        <span className="city">{config?.city.name ?? ""}</span>
        <span className="data-time">
          {summary?.data_time_utc && config ? (
            <>
              {texts.header.dataTime} <time dateTime={summary.data_time_utc}>{dateAndClock(summary.data_time_utc, config.city.time_zone)}</time>
            </>
          ) : null}
        </span>
        <Connection live={live} windowMinutes={windowMinutes} />
        <nav aria-label={texts.header.links}>{config ? <Links links={config.links} /> : null}</nav>
      </header>
      <Kpis summary={summary} series={series} horizonMinutes={horizon} placeKind={config?.city.place_kind ?? "h3"} />
      <main>
        {error && !config ? (
          <Down reason={error.message} />
        ) : city.sequence !== null && !hasData ? (
          <NoData />
        ) : config ? (
          <>
            <MapPanel config={config} city={city} nameOf={nameOf} selected={selected} onSelect={setSelected} />
            <CityChart series={series} summary={summary} lengths={lengths} timeZone={config.city.time_zone} failed={history.error !== null} />
            <div className="side">
              {selected ? (
                <Details cellId={selected} live={city.cells.get(selected)} config={config} nameOf={nameOf} onClose={close} />
              ) : null}
              <Hotspots
                hotspots={hotspots.data?.hotspots ?? null}
                cells={city.cells}
                nameOf={nameOf}
                selected={selected}
                onSelect={setSelected}
              />
            </div>
          </>
        ) : (
          <p className="muted loading">{texts.loading}</p>
        )}
      </main>
    </div>
  );
}
