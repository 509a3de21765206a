"""The city as it was at a past moment, by the same rules as the city now; and what then happened."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from sqlalchemy import Engine, and_, func, select

from api.state import Cell, CityState
from smartcity.levels import Level
from smartcity.store.reader import newest_window_start, scored_window
from smartcity.store.tables import WindowRow

#: How far back a cell's newest window is looked for; the live state knows older ones too, all of them ``unknown``.
LOOK_BACK = timedelta(hours=1)


def cells_at(engine: Engine, at: datetime) -> Mapping[str, Cell]:
    """Each cell's newest window that had ended by ``at``; where nothing drove for 10 minutes, its level is unknown."""
    newest = (
        select(WindowRow.cell_id, func.max(WindowRow.window_start_utc).label("start"))
        .where(
            WindowRow.window_start_utc > at - LOOK_BACK, WindowRow.window_start_utc < at, WindowRow.window_end_utc <= at
        )
        .group_by(WindowRow.cell_id)
        .subquery()
    )
    table = WindowRow.__table__
    query = select(table).join(
        newest, and_(table.c.cell_id == newest.c.cell_id, table.c.window_start_utc == newest.c.start)
    )
    with engine.connect() as connection:
        windows = [scored_window(row) for row in connection.execute(query).mappings()]
    state = CityState()
    # Oldest written first: the state takes a feed that was started again for a new one, and here there is none.
    state.apply(sorted(windows, key=lambda window: window.window_start_utc))
    return state.view()[1]


def outcomes(
    engine: Engine, target_end: datetime, window: timedelta, cell_ids: Iterable[str]
) -> dict[str, tuple[Level, float | None]]:
    """Level and speed of each cell in the window that ends at ``target_end``; empty while that is not over."""
    newest = newest_window_start(engine)
    if newest is None or target_end > newest:
        return {}
    query = select(WindowRow.cell_id, WindowRow.level, WindowRow.avg_speed_mph).where(
        WindowRow.window_start_utc == target_end - window
    )
    wanted = set(cell_ids)
    with engine.connect() as connection:
        return {
            cell_id: (Level(level), speed) for cell_id, level, speed in connection.execute(query) if cell_id in wanted
        }
