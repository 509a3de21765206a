"""Every error this platform raises on purpose; a message names the thing, the value and the way out."""

from pathlib import Path


class TrafficError(Exception):
    """Base of the tree. The command line prints its message, without a traceback, and exits 1."""


class SettingsError(TrafficError):
    """A setting has a value that cannot work."""


class InputError(TrafficError):
    """A file given by the user cannot be read as what it claims to be; names the file and, if known, the row."""


class DownloadError(TrafficError):
    """A publisher's file cannot be had whole, or is not the one that its checksum says; says what the next try does."""


class SchemaMismatchError(TrafficError):
    """A table lacks a column, or a column has another type, than the contract in ``smartcity.columns``."""


class MissingDataError(TrafficError):
    """The lake has no data where a job needs some; says which command makes it."""


class ConflictError(TrafficError):
    """Another run changed the same days meanwhile; nothing of this one was published."""


class NothingYetError(MissingDataError):
    """There is nothing to look at yet, and that is no fault: it comes by itself."""


class ModelError(TrafficError):
    """A model version is broken, foreign, or does not fit the data it is asked to score."""


class RegistryError(ModelError):
    """The model registry does not answer, or not as it should: no word on any version."""


class NoChampionError(ModelError):
    """The registry answers, but no version carries the champion alias."""


class GateFailedError(TrafficError):
    """A data-quality gate found a FAIL expectation broken."""

    #: What a gate's process ends with: nothing that Python, a shell or a signal ends with, so that it means only this.
    EXIT_CODE = 3


class InstallError(TrafficError):
    """Something that ``traffic up`` must fetch or find is not to be had."""


class ServiceError(TrafficError):
    """A service does not start, does not answer, or its port is taken."""


class JobError(TrafficError):
    """A program that runs as a process of its own failed; ``lines`` are the last of what it said."""

    def __init__(self, name: str, code: int, log: Path, lines: list[str]) -> None:
        said = "\n  ".join(lines) or "(nothing)"
        super().__init__(f"{name} failed (exit {code}); its last lines, of {log}:\n  {said}")
        self.name = name
        self.code = code
        self.log = log
        self.lines = lines
