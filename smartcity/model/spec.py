"""What a registered version says about itself: enough to refuse a broken or foreign one before it scores a row."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from smartcity.city import City
from smartcity.errors import ModelError
from smartcity.features import FEATURE_NAMES
from smartcity.hashing import file_sha256
from smartcity.levels import CLASSES
from smartcity.model.drift import Reference
from smartcity.model.inputs import INPUT_NAMES

MODEL_NAME = "congestion"
FORMAT = 3
SPEC_FILE = "spec.json"
LEVEL_FILE = "level.onnx"
CHANGE_FILE = "ratio_change.onnx"
PROFILE_FILE = "profile.npz"
SPARK_FOLDER = "spark"
SERVED_FILES = (LEVEL_FILE, CHANGE_FILE, PROFILE_FILE)


class ModelSpec(BaseModel):
    """The contents of a version: features in order, classes, city, and the checksum of every served file."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    feature_names: tuple[str, ...] = FEATURE_NAMES
    input_names: tuple[str, ...] = INPUT_NAMES
    classes: tuple[str, ...] = tuple(CLASSES)
    city: City
    dataset: str
    profile_id: str
    reference: Reference | None = None
    #: For ``calibration.calibrated``: from the forest's shares to probabilities.
    temperature: float = 1.0
    sha256: dict[str, str]

    @classmethod
    def read(cls, folder: Path) -> "ModelSpec":
        """The spec of a downloaded version, all its files checked. Raises: ModelError saying what does not hold."""
        path = folder / SPEC_FILE
        if not path.is_file():
            raise ModelError(f"{folder} is not a version of ours: it has no {SPEC_FILE}")
        try:
            spec = cls.model_validate_json(path.read_bytes())
        except ValueError as error:
            raise ModelError(f"{path} cannot be read: {error}") from error
        if spec.format != FORMAT:
            raise ModelError(f"{path} has format {spec.format}; this program reads {FORMAT}")
        ours = (FEATURE_NAMES, INPUT_NAMES)
        if (spec.feature_names, spec.input_names) != ours or spec.classes != tuple(CLASSES):
            raise ModelError(f"{path} was trained on other features or classes; train again with this program")
        for name in SERVED_FILES:
            if not (folder / name).is_file() or file_sha256(folder / name) != spec.sha256.get(name):
                raise ModelError(f"{folder / name} is missing or differs from its checksum")
        return spec
