import { Component, lazy, Suspense, useContext, useEffect, useMemo, useState, type ReactNode } from "react";
import { useGrid, type Namer } from "../data/geography";
import { MAP_LAYERS, type MapLayer } from "../data/link";
import type { Config, Level, ScoredWindow } from "../data/messages";
import type { Outcomes } from "../data/past";
import type { CityState } from "../data/state";
import type { View } from "../map/view";
import { ERROR_COLORS, LEVEL_COLORS } from "../palette";
import { CityCanvas } from "../shared/CityCanvas";
import { ThemeContext } from "../shared/theme";
import { texts } from "../texts";
import { Legend } from "./Legend";
import { PlacesTable } from "./PlacesTable";

const TrafficMap = lazy(() => import("../map/TrafficMap"));

interface MapPanelProps {
  config: Config;
  city: CityState;
  outcomes: Outcomes;
  /** Whether a past moment is shown, of which it is known what then came. */
  past: boolean;
  nameOf: Namer;
  selected: string | null;
  onSelect: (cellId: string | null) => void;
  layer: MapLayer;
  onLayer: (layer: MapLayer) => void;
  /** Whether the filter lets a place through. */
  shows: (cell: ScoredWindow) => boolean;
  levelOf: (cell: ScoredWindow) => Level;
  hidden: readonly Level[];
  onToggle: (level: Level) => void;
  firstView: View | null;
  onView: (view: View) => void;
}

/** The map with its legend and switch; a drawing and a table where the map can't be drawn. */
export function MapPanel(props: MapPanelProps): JSX.Element {
  const { config, city, past, layer, onLayer, hidden, onToggle } = props;
  const grid = useGrid(config);
  const theme = useContext(ThemeContext);
  const [panel, setPanel] = useState(false);
  const [ready, setReady] = useState(false);
  const afterFirstFrame = useAfterFirstFigures(city.sequence !== null);
  const [drawable] = useState(hasWebGl);
  const { place_kind: kind, horizon_minutes: minutes } = config.city;
  const unplaced = kind === "sensor" && Object.keys(config.places).length === 0;
  const reason = !drawable ? texts.map.noWebGl : unplaced ? texts.map.noPlaces : null;
  const layers = (
    <div className="switch" role="group" aria-label={texts.map.layer}>
      {MAP_LAYERS.filter((each) => past || each === "now" || each === "forecast").map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={layer === each}
          data-testid={`${each}-toggle`}
          data-layer={each}
          title={texts.map.layerTitles[each](minutes)}
          onClick={() => onLayer(each)}
        >
          {texts.map.layers[each](minutes)}
        </button>
      ))}
    </div>
  );
  return (
    <section className="panel map" aria-label={texts.map.title} data-testid="map" data-ready={ready} data-layer={layer} data-panel={panel}>
      {reason !== null ? (
        <>
          <FlatMap {...props} reason={reason} drawn={!unplaced} />
          {layers}
        </>
      ) : (
        <>
          <MapBoundary fallback={<FlatMap {...props} reason={`${texts.map.failed}. ${texts.map.instead}`} drawn />}>
            <Suspense fallback={null}>
              {afterFirstFrame ? <TrafficMap panel={panel} {...props} grid={grid} theme={theme} onReady={() => setReady(true)} /> : null}
            </Suspense>
            {ready ? null : <p className="map-loading">{texts.map.loading}</p>}
            {layers}
            <button type="button" className="panel-toggle" aria-pressed={panel} data-testid="panel-toggle" title={texts.map.panelTitle} onClick={() => setPanel((open) => !open)}>
              {texts.map.panel}
            </button>
            <Legend config={config} layer={layer} vehicles={city.vehicles.size > 0} hidden={hidden} onToggle={onToggle} />
            <p className="map-hint">{texts.map.hint}</p>
          </MapBoundary>
        </>
      )}
    </section>
  );
}

/** Where 3D can't be had: the city as a flat drawing, and the same places as a table. */
function FlatMap(props: MapPanelProps & { reason: string; drawn: boolean }): JSX.Element {
  const { reason, drawn, config, city, nameOf, selected, onSelect, shows, levelOf, layer } = props;
  const grid = useGrid(config);
  const { bounds, place_kind: kind } = config.city;
  const cells = useMemo(() => [...city.cells.values()].filter(shows), [city.cells, shows]);
  return (
    <div className="flat-map">
      {drawn ? (
        <div className="flat-map-drawing" data-testid="flat-map">
          <CityCanvas
            city={city}
            grid={grid}
            bounds={bounds}
            kind={kind}
            shows={shows}
            levelOf={levelOf}
            colors={layer === "error" ? ERROR_COLORS : LEVEL_COLORS}
            selected={selected}
            onSelect={onSelect}
          />
        </div>
      ) : null}
      <PlacesTable reason={reason} kind={kind} cells={cells} nameOf={nameOf} selected={selected} onSelect={onSelect} />
    </div>
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
