import { usePolled } from "../data/api";
import { bytes, clock, count, percent, seconds, shortCount } from "../data/format";
import { useGrid } from "../data/geography";
import type { Config, Stats } from "../data/messages";
import type { LiveState } from "../data/stream";
import { useLive } from "../data/useLive";
import { Links, Mark } from "../shared/Brand";
import { texts } from "../texts";
import { CityCanvas } from "../shared/CityCanvas";

const STATS_SECONDS = 5;
const CONFIG_RETRY_SECONDS = 3;
/** Until the installation has said what it does. */
const [HORIZON_MINUTES, WINDOW_MINUTES] = [15, 2];

export function Landing(): JSX.Element {
  const { data: config } = usePolled<Config>("/api/config", CONFIG_RETRY_SECONDS, true);
  const { data: stats } = usePolled<Stats>("/api/stats", STATS_SECONDS);
  const live = useLive(config?.push_seconds);
  const grid = useGrid(config);
  const known = texts.landing;
  return (
    <>
      <main>
        <section className="hero">
          {config ? <CityCanvas city={live.city} grid={grid} bounds={config.city.bounds} kind={config.city.place_kind} beside /> : null}
          <header>
            <span className="brand">
              <Mark />
              {texts.product}
            </span>
            <nav>
              <a href="/dashboard">{texts.links.dashboard}</a>
              {config ? <Links links={config.links} /> : null}
            </nav>
          </header>
          <div className="pitch">
            <h1>{known.tagline(config?.city.horizon_minutes ?? HORIZON_MINUTES)}</h1>
            <p>{known.lead}</p>
            <div className="actions">
              <a className="primary" href="/dashboard" data-testid="launch">
                {known.launch}
              </a>
              {config?.links.api_docs ? (
                <a className="secondary" href={config.links.api_docs}>
                  {known.api}
                </a>
              ) : null}
            </div>
            <Now live={live} config={config} />
          </div>
        </section>
        <Figures stats={stats} />
        <section className="way">
          <h2>{known.pathTitle}</h2>
          <ol>
            {known.path(config?.city.window_minutes ?? WINDOW_MINUTES).map((step) => (
              <li key={step.name}>
                <b>{step.name}</b>
                <span>{step.tool}</span>
                <p>{step.text}</p>
                {config ? <Links links={config.links} only={step.open} /> : null}
              </li>
            ))}
          </ol>
        </section>
      </main>
      <footer>
        <span>{texts.product}</span>
        <a href="/assets/THIRD_PARTY_LICENSES.txt">{known.licenses}</a>
      </footer>
    </>
  );
}

/** One line on the city right now, under the buttons. */
function Now({ live, config }: { live: LiveState; config: Config | null }): JSX.Element {
  const { summary } = live.city;
  if (!config) return <p className="now" role="status">{texts.loading}</p>;
  const ready = summary !== null && summary.data_time_utc !== null;
  return (
    <p className="now" role="status" data-state={live.phase}>
      <i key={live.city.sequence} aria-hidden="true" />
      {ready ? (
        <>
          {texts.landing.live(config.city.name)} · {clock(summary.data_time_utc, config.city.time_zone)} ·{" "}
          {count(summary.vehicle_count)} {texts.kpi.vehicles.toLowerCase()} · {percent(summary.congested_share, 1)}{" "}
          {texts.kpi.congestedNow.toLowerCase()}
        </>
      ) : live.phase === "reconnecting" ? (
        texts.connection.reconnecting(0)
      ) : (
        texts.landing.waiting
      )}
    </p>
  );
}

function Figures({ stats }: { stats: Stats | null }): JSX.Element {
  const names = texts.landing.figures;
  const figures: [string, string, string?][] = [
    [shortCount(stats?.trips), names.trips],
    [shortCount(stats?.positions), names.positions],
    [shortCount(stats?.cells), names.cells],
    [bytes(stats?.lake_bytes), names.lake],
    [shortCount(stats?.events_per_second == null ? null : Math.round(stats.events_per_second)), names.events],
    [seconds(stats?.delay_seconds), names.delay],
    [
      percent(stats?.live_accuracy, 1),
      names.accuracy,
      stats?.live_accuracy == null ? undefined : names.accuracyNote(percent(stats.persistence_accuracy, 1), shortCount(stats.scored_forecasts)),
    ],
    [stats?.model_version ?? "–", names.model],
  ];
  return (
    <section className="figures" data-testid="figures">
      <h2>{texts.landing.figuresTitle}</h2>
      <p>{texts.landing.figuresNote}</p>
      <dl>
        {figures.map(([value, name, note]) => (
          <div key={name}>
            <dd>{value}</dd>
            <dt>
              {name}
              {note ? <small>{note}</small> : null}
            </dt>
          </div>
        ))}
      </dl>
    </section>
  );
}
