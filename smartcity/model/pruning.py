"""Old versions leave the registry: what nobody would go back to."""

from collections.abc import Sequence

from smartcity.model.registry import CHAMPION, REPLACED_TAG, Entry, client, entries
from smartcity.model.spec import MODEL_NAME
from smartcity.settings import Settings


def superfluous(found: Sequence[Entry], keep: int) -> list[str]:
    """Versions that may go, oldest first. Pure.

    Stay: the ``keep`` newest, what carries an alias, and the ``keep`` versions that served before the champion, each
    the one that its successor replaced: the way of a roll-back.
    """
    by_version = {entry.version: entry for entry in found}
    newest = sorted(by_version, key=int, reverse=True)
    stay = {*newest[:keep], *(entry.version for entry in found if entry.aliases)}
    at = next((entry for entry in found if CHAMPION in entry.aliases), None)
    for _ in range(keep):
        at = by_version.get(at.tags.get(REPLACED_TAG, "")) if at else None
        if at is None:
            break
        stay.add(at.version)
    return sorted(set(by_version) - stay, key=int)


def prune(settings: Settings, keep: int) -> list[str]:
    """Take superfluous versions out of the registry; their runs, figures and files stay in MLflow. Returns: these."""
    gone, registry = superfluous(entries(settings), keep), client(settings)
    for version in gone:
        registry.delete_model_version(MODEL_NAME, version)
    return gone
