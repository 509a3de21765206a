"""The model ledger: every verdict of the gate, promotion by hand and roll-back, and the newest live scores."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, RowMapping, delete, insert, select

from smartcity.store.tables import LiveScore, ModelDecision

#: ``ModelDecision.action``.
GATE, PROMOTE, ROLL_BACK = "gate", "promote", "rollback"
#: Reasons longer than this are cut: the whole stands in the version's tags.
_REASON = ModelDecision.__table__.c.reason.type.length  # type: ignore[attr-defined]


def record_decision(
    engine: Engine,
    version: str,
    action: str,
    promoted: bool,
    champion_before: str | None,
    reason: str,
    figures: dict[str, float] | None = None,
) -> None:
    """Add a line. ``figures``: macro_f1, ece and persistence_macro_f1 on the hold-out days, where measured."""
    measured = {name: (figures or {}).get(name) for name in ("macro_f1", "ece", "persistence_macro_f1")}
    row = {
        "decided_utc": datetime.now(UTC),
        "version": version,
        "action": action,
        "promoted": promoted,
        "champion_before": champion_before,
        "reason": reason[:_REASON],
        **measured,
    }
    with engine.begin() as connection:
        connection.execute(insert(ModelDecision), [row])


def decisions(engine: Engine, most: int = 20) -> list[RowMapping]:
    """The newest lines, newest first."""
    table = ModelDecision.__table__
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.decided_utc.desc()).limit(most)).mappings())


def replace_live_scores(engine: Engine, rows: Sequence[dict[str, Any]]) -> None:
    """Put the scores of the versions in ``rows`` in place of what stands there of them."""
    with engine.begin() as connection:
        for version in {row["model_version"] for row in rows}:
            connection.execute(delete(LiveScore).where(LiveScore.model_version == version))
        if rows:
            connection.execute(insert(LiveScore), list(rows))


def live_scores(engine: Engine, version: str, scope: str) -> list[RowMapping]:
    """Scores of a version by ``scope`` (all, hour or place), ordered by name."""
    table = LiveScore.__table__
    query = select(table).where(table.c.model_version == version, table.c.scope == scope).order_by(table.c.name)
    with engine.connect() as connection:
        return list(connection.execute(query).mappings())
