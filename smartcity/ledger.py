"""Which input files a data set has taken in, by content: what was said of each need not be found out again."""

from datetime import date

from pydantic import BaseModel, Field, ValidationError

from smartcity.lake import Dataset

_NAME = "ingested.json"


class FileRecord(BaseModel):
    """What became of one file: its rows = ``kept`` + ``duplicates`` + the sum of ``quarantined`` (by reason).

    ``judged_by``: the rules, zones and reader that said so; by others, the file is read anew.
    """

    name: str
    judged_by: str
    kept: int = 0
    duplicates: int = 0
    quarantined: dict[str, int] = Field(default_factory=dict)
    first_date: date | None = None
    last_date: date | None = None

    def note_day(self, day: date) -> None:
        """The file has a valid trip on this day."""
        self.first_date = min(self.first_date or day, day)
        self.last_date = max(self.last_date or day, day)


class Ledger(BaseModel):
    """Records by the SHA-256 of a file's content. Written after the tables, so that a killed run is done again."""

    files: dict[str, FileRecord] = Field(default_factory=dict)

    @classmethod
    def load(cls, dataset: Dataset) -> "Ledger":
        """The data set's ledger; empty where there is none that can be read."""
        try:
            return cls.model_validate(dataset.get_json(_NAME) or {})
        except ValidationError:
            return cls()

    def save(self, dataset: Dataset) -> None:
        """Replace the data set's ledger."""
        dataset.put_json(_NAME, self.model_dump(mode="json"))

    def done(self, sha256: str, judged_by: str) -> FileRecord | None:
        """The record of a file that was judged in this very way; None where it has to be read."""
        record = self.files.get(sha256)
        return record if record and record.judged_by == judged_by else None
