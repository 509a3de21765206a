import { Component, lazy, Suspense, useEffect, useState, type ReactNode } from "react";
import type { Config } from "../data/messages";
import type { CityState } from "../data/state";
import type { Namer } from "../data/geography";
import { texts } from "../texts";
import { Legend } from "./Legend";
import { PlacesTable } from "./PlacesTable";

const TrafficMap = lazy(() => import("../map/TrafficMap"));

interface MapPanelProps {
  config: Config;
  city: CityState;
  nameOf: Namer;
  selected: string | null;
  onSelect: (cellId: string | null) => void;
}

/** The map with its legend and switch; a table where the map can't be drawn. */
export function MapPanel(props: MapPanelProps): JSX.Element {
  const { config, city, nameOf, selected, onSelect } = props;
  const [forecast, setForecast] = useState(false);
  const [ready, setReady] = useState(false);
  const afterFirstFrame = useAfterFirstFigures(city.sequence !== null);
  const [drawable] = useState(hasWebGl);
  const minutes = config.city.horizon_minutes;
  const kind = config.city.place_kind;
  const unplaced = kind === "sensor" && Object.keys(config.places).length === 0;
  const reason = !drawable ? texts.map.noWebGl : unplaced ? texts.map.noPlaces : null;
  const table = (why: string): JSX.Element => (
    <PlacesTable reason={why} kind={kind} cells={city.cells} nameOf={nameOf} selected={selected} onSelect={onSelect} />
  );
  return (
    <section className="panel map" aria-label={texts.map.title} data-testid="map" data-ready={ready} data-layer={forecast ? "forecast" : "now"}>
      {reason !== null ? (
        table(reason)
      ) : (
        <>
          <MapBoundary fallback={table(`${texts.map.failed}.`)}>
            <Suspense fallback={null}>
              {afterFirstFrame ? (
                <TrafficMap {...props} forecast={forecast} onReady={() => setReady(true)} />
              ) : null}
            </Suspense>
          </MapBoundary>
          {ready ? null : <p className="map-loading">{texts.map.loading}</p>}
          <div className="switch" role="group" aria-label={texts.map.forecastLabel(minutes)}>
            <button type="button" aria-pressed={!forecast} onClick={() => setForecast(false)}>
              {texts.map.now}
            </button>
            <button
              type="button"
              aria-pressed={forecast}
              data-testid="forecast-toggle"
              title={texts.map.forecastLabel(minutes)}
              onClick={() => setForecast((on) => !on)}
            >
              {texts.map.forecast(minutes)}
            </button>
          </div>
          <Legend config={config} forecast={forecast} />
          <p className="map-hint">{texts.map.hint}</p>
        </>
      )}
    </section>
  );
}

/** True once the first figures have been painted: only then is Kepler's large file asked for. */
function useAfterFirstFigures(figures: boolean): boolean {
  const [after, setAfter] = useState(false);
  useEffect(() => {
    if (!figures || after) return;
    let second = 0;
    const first = requestAnimationFrame(() => {
      second = requestAnimationFrame(() => setAfter(true));
    });
    return () => {
      cancelAnimationFrame(first);
      cancelAnimationFrame(second);
    };
  }, [figures, after]);
  return after;
}

function hasWebGl(): boolean {
  try {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return context !== null;
  } catch {
    return false;
  }
}

class MapBoundary extends Component<{ fallback: ReactNode; children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render(): ReactNode {
    return this.state.failed ? this.props.fallback : this.props.children;
  }
}
