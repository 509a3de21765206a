/** The live Kepler.gl map. Loaded after the first frame, because Kepler is large. */
import { type ComponentType, useEffect, useMemo, useRef, useState } from "react";
import { Provider } from "react-redux";
import { addDataToMap, interactionConfigChange, layerConfigChange, layerVisConfigChange, mapStyleChange, setFilter, updateVisData, wrapTo } from "@kepler.gl/actions";
import "maplibre-gl/dist/maplibre-gl.css";
import type { Config, ScoredWindow } from "../data/messages";
import { MAP_LAYERS, type MapLayer } from "../data/link";
import type { Outcomes } from "../data/past";
import type { CityState } from "../data/state";
import type { Grid, Namer } from "../data/geography";
import { useMeasures } from "../data/units";
import { basemapStyle, creditsOf, useGround } from "./basemap";
import { CalmDeck } from "./calmDeck";
import { mapConfig, SELECTION_LAYER, SENSOR_LAYER_TYPE, themeLooks, VEHICLE_LAYER, VEHICLE_LAYER_TYPE } from "./config";
import { THEMES, type Theme } from "../palette";
import { texts } from "../texts";
import { hullOutline } from "./hull";
import { createMapStore, KeplerMap, MAP_ID } from "./kepler";
import { KEPLER_THEME } from "./keplerTheme";
import { keepUsable } from "./panelAccess";
import { raiseTop } from "./placeLayers";
import { inUnits, placeFields, placeRows, PLACES, SELECTION, vehicleFields, vehicleRow, VEHICLES, withOutcome, type FieldsToShow, type RangeFilter } from "./rows";
import { cityBounds, sameView, viewIn, viewOf, type View } from "./view";

/** A base map for each theme: Kepler remembers what it made of a style by its id. */
const styleId = (theme: Theme): string => `outline-${theme}`;

export interface TrafficMapProps {
  config: Config;
  city: CityState;
  grid: Grid | null;
  nameOf: Namer;
  selected: string | null;
  layer: MapLayer;
  outcomes: Outcomes;
  /** Whether it is known what came after the moment shown. */
  past: boolean;
  /** Places to draw: those of the levels that the legend leaves on. */
  shows: (cell: ScoredWindow) => boolean;
  /** Where to look at first; without it, where the vehicles are. */
  firstView: View | null;
  onView: (view: View) => void;
  theme: Theme;
  onSelect: (cellId: string | null) => void;
  onReady: () => void;
  /** Whether Kepler's own panel is open. */
  panel: boolean;
}

export default function TrafficMap(props: TrafficMapProps): JSX.Element {
  const { config, city, grid, nameOf, selected, layer, outcomes, past, shows, firstView, theme, onSelect, onView, onReady, panel } = props;
  const measures = useMeasures();
  const { horizon_minutes: horizon, place_kind: kind } = config.city;
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState<{ width: number; height: number } | null>(null);
  const [added, setAdded] = useState(false);
  const select = useRef(onSelect);
  select.current = onSelect;
  const [store] = useState(() => createMapStore((cellId) => select.current(cellId)));
  const ground = useGround(config.map_style);
  const styles = useMemo(() => {
    const outline = config.outline ?? hullOutline(Object.values(config.places));
    return THEMES.map((each) => ({ id: styleId(each), label: "", url: "", style: ground.style ?? basemapStyle(outline, each) }));
  }, [config, ground.style]);

  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() => {
      const { clientWidth: width, clientHeight: height } = element;
      if (width > 0 && height > 0) setSize({ width, height });
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const tables = (): object[] => {
    const cells = [...city.cells.values()];
    const drawn = cells.filter(shows);
    raiseTop(cells.reduce((most, cell) => Math.max(most, cell.vehicle_count), 0));
    const chosen = cells.filter((cell) => cell.cell_id === selected);
    const fields = placeFields(horizon, kind, measures.speedUnit);
    return [
      entry(PLACES, fields, placeRows(drawn, nameOf, kind, config.places, measures, outcomes)),
      entry(VEHICLES, vehicleFields(measures.speedUnit), [...city.vehicles.values()].map((vehicle) => vehicleRow(vehicle, measures))),
      entry(SELECTION, fields, placeRows(chosen, nameOf, kind, config.places, measures, outcomes)),
    ];
  };

  const ready = size !== null && ground.known && city.sequence !== null;
  useEffect(() => {
    if (!ready || !size) return;
    if (!added) {
      const view = firstView ?? viewOf(cityBounds(city, grid?.center, config.city.bounds), size.width, size.height, kind === "h3");
      store.dispatch(
        wrapTo(
          MAP_ID,
          addDataToMap({
            datasets: tables() as never,
            options: { centerMap: false, readOnly: false, autoCreateLayers: false, autoCreateTooltips: false } as never,
            config: mapConfig(view, horizon, styleId(theme), kind, layer, theme, past) as never,
          }),
        ),
      );
      setAdded(true);
      onReady();
    } else {
      store.dispatch(wrapTo(MAP_ID, updateVisData(tables() as never, { autoCreateLayers: false, autoCreateTooltips: false } as never)));
    }
    // Kepler gets its rows when they change, not when a callback does.
  }, [ready, city.cells, city.vehicles, selected, nameOf, measures, outcomes, shows, store]);

  useEffect(() => {
    if (!added) return;
    const layers = (store.getState() as LayersState).keplerGl[MAP_ID]?.visState.layers ?? [];
    for (const id of MAP_LAYERS) {
      const isVisible = id === layer;
      const found = layers.find((each) => each.id === id);
      if (found && found.config.isVisible !== isVisible) {
        store.dispatch(wrapTo(MAP_ID, layerConfigChange(found as never, { isVisible } as never)));
      }
    }
  }, [added, layer, store]);

  // What came is only known of the past; which other fields the tooltips have, people choose in Kepler's panel.
  const told = useRef(past);
  useEffect(() => {
    if (!added || told.current === past) return;
    told.current = past;
    const { tooltip } = (store.getState() as LayersState).keplerGl[MAP_ID]!.visState.interactionConfig;
    const fieldsToShow = withOutcome(tooltip.config.fieldsToShow, past);
    store.dispatch(wrapTo(MAP_ID, interactionConfigChange({ ...tooltip, config: { ...tooltip.config, fieldsToShow } } as never)));
  }, [added, past, store]);

  // Another theme or unit is told to the map that is there: a new one would forget its layers' looks and filters.
  const drawn = useRef({ theme, measures });
  useEffect(() => {
    const before = drawn.current;
    if (!added || (before.theme === theme && before.measures === measures)) return;
    drawn.current = { theme, measures };
    const say = (action: unknown): unknown => store.dispatch(wrapTo(MAP_ID, action as never));
    const { layers, filters } = (store.getState() as LayersState).keplerGl[MAP_ID]!.visState;
    if (before.theme !== theme) {
      const looks = themeLooks(kind, theme);
      say(mapStyleChange(styleId(theme)));
      for (const each of layers) {
        if (each.id === VEHICLE_LAYER) say(layerConfigChange(each as never, looks.vehicles as never));
        if (each.id === SELECTION_LAYER) say(layerVisConfigChange(each as never, looks.selection as never));
      }
    }
    filters.forEach((filter, index) => {
      const { value, domain } = inUnits(filter, before.measures, measures);
      if (value !== filter.value) say(setFilter(index, ["domain", "value"], [domain, value]));
    });
  }, [added, theme, measures, kind, store]);

  useEffect(() => {
    if (!added) return;
    let last: View | null = null;
    return store.subscribe(() => {
      const view = viewIn((store.getState() as LayersState).keplerGl[MAP_ID]?.mapState);
      if (!view || (last && sameView(last, view))) return;
      last = view;
      onView(view);
    });
  }, [added, onView, store]);

  useEffect(() => (frame.current ? keepUsable(frame.current) : undefined), []);

  return (
    <div className="map-frame" ref={frame}>
      {size && ground.known ? (
        <Provider store={store}>
          <Map
            id={MAP_ID}
            width={size.width}
            height={size.height}
            mapboxApiAccessToken=""
            mapStyles={styles}
            mapStylesReplaceDefault
            readOnly={!panel}
            theme={KEPLER_THEME}
            localeMessages={KEPLER_WORDS}
            deckGlProps={DECK}
          />
        </Provider>
      ) : null}
      {ground.style ? <p className="map-credits">{creditsOf(ground.style)}</p> : null}
    </div>
  );
}

/** Kepler's component as it is used here; its own typings also ask for what Redux fills in. */
const Map = KeplerMap as unknown as ComponentType<{
  id: string;
  width: number;
  height: number;
  mapboxApiAccessToken: string;
  mapStyles: object[];
  mapStylesReplaceDefault: boolean;
  readOnly: boolean;
  theme: object;
  localeMessages: object;
  deckGlProps: object;
}>;

const DECK = {
  Deck: CalmDeck,
  // A press of up to a second is a click: after a quarter of one the map would take it for none, and a busy machine makes clicks longer.
  eventRecognizerOptions: { tap: { time: 1000 }, anytap: { time: 1000 } },
};

const KEPLER_WORDS = { en: { [`layer.type.${VEHICLE_LAYER_TYPE}`]: texts.map.layerTypes.vehicle, [`layer.type.${SENSOR_LAYER_TYPE}`]: texts.map.layerTypes.sensor } };

interface MapState {
  layers: { id: string; config: { isVisible: boolean } }[];
  filters: RangeFilter[];
  interactionConfig: { tooltip: { config: { fieldsToShow: FieldsToShow } } };
}

interface LayersState {
  keplerGl: Record<string, { visState: MapState; mapState: Partial<View> }>;
}

function entry(id: string, fields: object[], rows: unknown[][]): object {
  return { info: { id, label: id }, data: { fields, rows } };
}
