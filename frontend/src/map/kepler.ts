/** Kepler.gl put together for a live map: store, layers, table. */
import { applyMiddleware, combineReducers, legacy_createStore, type AnyAction, type Middleware, type Store } from "redux";
import { ActionTypes, unwrap } from "@kepler.gl/actions";
import { AddDataButtonFactory, injectComponents, MapControlFactory, MapPopoverContentFactory, MapPopoverFactory, PanelHeaderFactory } from "@kepler.gl/components";
import { LayerClasses } from "@kepler.gl/layers";
import { enhanceReduxMiddleware, keplerGlReducer } from "@kepler.gl/reducers";
import { getApplicationConfig, initApplicationConfig } from "@kepler.gl/utils";
import { SENSOR_LAYER_TYPE, VEHICLE_LAYER_TYPE } from "./config";
import { LiveTable } from "./liveTable";
import { popoverWith } from "./Popover";
import { HexagonLayer, SensorLayer } from "./placeLayers";
import { PLACES, SELECTION } from "./rows";
import { VehicleLayer } from "./vehicleLayer";

export const MAP_ID = "city";

// No address on another host is ever needed; an empty one shows up at once where Kepler would ask for it.
const { maplibre } = getApplicationConfig().baseMapLibraryConfig;
initApplicationConfig({
  table: LiveTable,
  cdnUrl: "",
  showReleaseBanner: false,
  // MapLibre answers to Mapbox's name too, or Kepler complains about a token that nobody needs.
  baseMapLibraryConfig: { maplibre, mapbox: maplibre },
});

const Nothing = (): null => null;
const nothing = Object.assign((): typeof Nothing => Nothing, { deps: [] as unknown[] });

const popover = Object.assign(popoverWith, { deps: [MapPopoverContentFactory] });

/** Kepler's map without its own controls; of its side panel what is about layers, filters and tooltips. */
export const KeplerMap = injectComponents([
  ...[MapControlFactory, PanelHeaderFactory, AddDataButtonFactory].map((factory) => [factory, nothing]),
  [MapPopoverFactory, popover],
] as never);

type Picked = { picked?: boolean; object?: { index?: number }; layer?: { props?: { id?: string } } } | null;

interface KeplerState {
  keplerGl: Record<string, { visState: { layers: { id: string; config: { dataId: string } }[]; datasets: Record<string, Table> } }>;
}

interface Table {
  dataContainer: { valueAt(row: number, column: number): unknown };
}

/** The id of the place under a click, or null where something else or nothing was hit. */
function pickedPlace(state: KeplerState, picked: Picked): string | null {
  const index = picked?.object?.index;
  if (!picked?.picked || typeof index !== "number") return null;
  const vis = state.keplerGl[MAP_ID]?.visState;
  const dataId = vis?.layers.find((layer) => layer.id === picked.layer?.props?.id)?.config.dataId;
  if (!vis || (dataId !== PLACES && dataId !== SELECTION)) return null;
  const id = vis.datasets[dataId]?.dataContainer.valueAt(index, 0);
  return typeof id === "string" ? id : null;
}

/** A click selects the place in the whole dashboard, in place of pinning Kepler's tooltip. */
function selectOnClick(onSelect: (cellId: string | null) => void): Middleware {
  return (store) => (next) => (action: AnyAction) => {
    if (action.type !== ActionTypes.LAYER_CLICK) return next(action);
    // Kepler wraps what its map says, to name the map that said it.
    const { info } = unwrap(action as never) as unknown as { info: Picked };
    onSelect(pickedPlace(store.getState() as KeplerState, info));
    return action;
  };
}

/** Kepler's icons without the drawings that it would ask this host for, in vain, before anyone wants an icon. */
class IconLayer extends (LayerClasses.icon as unknown as new (props: never) => object) {
  get svgIconUrl(): string {
    return "";
  }
}

export function createMapStore(onSelect: (cellId: string | null) => void): Store {
  const reducer = keplerGlReducer.initialState({
    uiState: { readOnly: false, currentModal: null },
    visState: { layerClasses: { ...LayerClasses, icon: IconLayer, hexagonId: HexagonLayer, [SENSOR_LAYER_TYPE]: SensorLayer, [VEHICLE_LAYER_TYPE]: VehicleLayer } },
  } as never);
  const middlewares = enhanceReduxMiddleware([selectOnClick(onSelect)] as never) as Middleware[];
  return legacy_createStore(combineReducers({ keplerGl: reducer as never }), applyMiddleware(...middlewares));
}
