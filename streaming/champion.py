"""The model that scores the stream: the registry's champion, followed while the stream runs."""

import logging
import threading
from dataclasses import dataclass

from smartcity.errors import MissingDataError, ModelError, NoChampionError
from smartcity.lake import Dataset
from smartcity.model import registry
from smartcity.model.serving import ServingModel
from smartcity.profile import Profile
from smartcity.settings import Settings

WATCH_SECONDS = 5.0
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scoring:
    """What the stream starts with: a model where there is one, and the profile in any case."""

    profile: Profile
    model: ServingModel | None


class ChampionWatch:
    """Follows the champion alias in a thread; the stream takes a new version between two batches.

    A version that is broken, or made for another city, is said once and passed over: the last good one goes on.
    """

    def __init__(self, settings: Settings, dataset: Dataset) -> None:
        self._settings = settings
        self._dataset = dataset
        self._seen: str | None = None
        self._new: ServingModel | None = None
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._registry_failed = False
        # The watch comes back every few seconds by itself.
        registry.give_up_soon()

    def first(self) -> Scoring:
        """What to start with. Raises: MissingDataError where there is neither a champion nor a fitted profile."""
        self._look()
        model = self.take()
        if model is not None:
            return Scoring(model.profile, model)
        return Scoring(Profile.load(self._dataset), None)

    def start(self) -> None:
        """Follow the alias until ``stop``."""
        threading.Thread(target=self._watch, name="champion-watch", daemon=True).start()

    def stop(self) -> None:
        """End the thread."""
        self._stop.set()

    def take(self) -> ServingModel | None:
        """The new version, once; None where there is none."""
        with self._lock:
            model, self._new = self._new, None
        return model

    def wait_for_scoring(self) -> Scoring | None:
        """As ``first``, but waits until there is something to score with; None when stopped meanwhile."""
        said = False
        while not self._stop.is_set():
            try:
                return self.first()
            except MissingDataError as error:
                if not said:
                    log.warning("waiting for a profile: %s", error)
                    said = True
                self._stop.wait(WATCH_SECONDS)
        return None

    def _watch(self) -> None:
        while not self._stop.wait(WATCH_SECONDS):
            self._look()

    def _look(self) -> None:
        try:
            version = registry.champion_version(self._settings)
        except ModelError as error:
            if not self._registry_failed:
                log.warning("%s; going on with what is loaded", error)
            self._registry_failed = True
            return
        self._registry_failed = False
        if version is None or version == self._seen:
            return
        try:
            model = registry.load_version(self._settings, version)
            if model.city != self._dataset.city:
                raise ModelError(f"version {version} was trained for another city than {self._dataset.name!r} has")
        except NoChampionError:
            return
        except ModelError as error:
            log.error("%s; going on with what is loaded", error)
            # Looked at once only if the registry answered in full; a download that failed is tried again.
            self._seen = None if _may_pass(error) else version
            return
        self._seen = version
        log.info("champion is version %s", version)
        with self._lock:
            self._new = model


def _may_pass(error: ModelError) -> bool:
    """Whether another try may succeed: what was read was not judged, but could not be read."""
    return "cannot be read" in str(error)
