"""What follows from a look at the serving version: nothing, training anew, or going back to the version before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from smartcity.model.drift import MIN_OUTCOMES
from smartcity.model.monitor import Look
from smartcity.store.ledger import ROLL_BACK

#: A champion is new this long. An older one that falls behind has drifted: the remedy is training, not the past.
NEW_FOR = timedelta(hours=48)
#: After a training, the next is not asked for sooner: on nearly the same days it would say nearly the same.
TRAIN_AFTER = timedelta(hours=20)


@dataclass(frozen=True)
class Reign:
    """Since when the serving version serves, by which action of the ledger, and which version it replaced."""

    since_utc: datetime
    action: str
    before: str | None


@dataclass(frozen=True)
class Advice:
    """Reasons in words; None: not to be done."""

    roll_back: str | None = None
    retrain: str | None = None


def reign(version: str | None, ledger: Iterable[Mapping[str, Any]]) -> Reign | None:
    """How ``version`` came to serve, from lines of the ledger, newest first; None where they do not tell."""
    for line in ledger:
        if line["version"] == version and line["promoted"]:
            return Reign(line["decided_utc"], line["action"], line["champion_before"])
    return None


def advise(seen: Look, reign: Reign | None, trained_utc: datetime | None, now: datetime) -> Advice:
    """Pure. A version that was rolled back to is not left again by itself. ``trained_utc``: of the newest version."""
    live = seen.live
    if live and live["scored"] >= MIN_OUTCOMES and live["macro_f1"] < live["persistence_macro_f1"]:
        new = reign is not None and reign.action != ROLL_BACK and now - reign.since_utc < NEW_FOR
        if new and reign and reign.before:
            return Advice(
                roll_back=f"live macro-F1 {live['macro_f1']:.3f} of version {seen.version} is under persistence's "
                f"{live['persistence_macro_f1']:.3f} over {live['scored']:,} forecasts"
            )
    recent = trained_utc is not None and now - trained_utc < TRAIN_AFTER
    if seen.verdict.drifted and not recent:
        return Advice(retrain="; ".join(seen.verdict.reasons))
    return Advice()
