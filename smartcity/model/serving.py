"""A version of the model, loaded and ready to score."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from smartcity.city import City
from smartcity.errors import ModelError
from smartcity.model.calibration import calibrated
from smartcity.model.inputs import inputs
from smartcity.model.spec import CHANGE_FILE, LEVEL_FILE, PROFILE_FILE, ModelSpec
from smartcity.profile import Profile

Floats = npt.NDArray[np.float64]


def onnx_session(path: Path) -> onnxruntime.InferenceSession:
    """An exported forest, ready to run. Raises: ModelError where it cannot be read."""
    options = onnxruntime.SessionOptions()
    # One thread: a forest scores a city in milliseconds, and the cores belong to the stream.
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises its own unrelated types
        raise ModelError(f"{path.name} cannot be loaded: {error}") from error


def _run(session: onnxruntime.InferenceSession, features: Floats) -> Floats:
    given = inputs(np.asarray(features, dtype=np.float64))
    return np.asarray(session.run(None, {"features": given})[0], dtype=np.float64)


@dataclass(frozen=True, eq=False)
class ServingModel:
    """Level probabilities and expected ratio, from a feature matrix in ``FEATURE_NAMES`` order."""

    version: str
    spec: ModelSpec
    profile: Profile
    _level: onnxruntime.InferenceSession
    _change: onnxruntime.InferenceSession

    @classmethod
    def load(cls, folder: Path, version: str) -> "ServingModel":
        """Load a downloaded version. Raises: ModelError for one that is broken or not ours."""
        spec = ModelSpec.read(folder)
        profile = Profile.from_bytes((folder / PROFILE_FILE).read_bytes())
        if profile.profile_id != spec.profile_id:
            raise ModelError(f"version {version}: profile {profile.profile_id} is not the one it was trained with")
        return cls(version, spec, profile, onnx_session(folder / LEVEL_FILE), onnx_session(folder / CHANGE_FILE))

    @property
    def city(self) -> City:
        """The city it was trained for."""
        return self.spec.city

    def probabilities(self, features: Floats) -> Floats:
        """Probability of each of ``levels.CLASSES``, shape (rows, 3)."""
        return calibrated(_run(self._level, features), self.spec.temperature)

    def ratio_change(self, features: Floats) -> Floats:
        """Expected change of the ratio until the target window, shape (rows,)."""
        return _run(self._change, features)[:, 0]
