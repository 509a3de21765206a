"""Files that appear whole or not at all: written beside their place, compared, then renamed together."""

import filecmp
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa

from smartcity.errors import InputError
from smartcity.generator.parts import Joined, join_into


class Staging:
    """New files of one folder. Nothing is seen in their place before ``publish``; leaving without it removes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._token = secrets.token_hex(4)
        self._staged: dict[str, Path] = {}
        self._parts: set[Path] = set()
        self._joined: dict[str, Joined] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for joined in self._joined.values():
            joined.close()
        for path in (*self._staged.values(), *self._parts):
            path.unlink(missing_ok=True)

    def place(self, name: str) -> Path:
        """Where whoever makes the file ``name`` writes it."""
        self._staged[name] = self._hidden(name)
        return self._staged[name]

    def part(self, name: str, label: str) -> Path:
        """Where whoever makes a part of the file ``name`` writes it; ``join`` takes it from there."""
        path = self._hidden(f"{name}.{label}")
        self._parts.add(path)
        return path

    def _hidden(self, name: str) -> Path:
        place = self._folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        return place.with_name(f".{place.name}.{self._token}")

    def join(self, name: str, part: Path, schema: pa.Schema) -> None:
        """Put a part behind the parts that the file ``name`` already has, and remove it."""
        if name not in self._joined:
            self._joined[name] = join_into(self.place(name), schema, csv=name.endswith(".csv"))
        self._joined[name].add(part)
        part.unlink()
        self._parts.discard(part)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Put a whole small file."""
        self.place(name).write_bytes(content)

    def finish(self) -> dict[str, Path]:
        """Close what was joined. Returns: the staged file of each name."""
        for joined in self._joined.values():
            joined.close()
        self._joined.clear()
        return dict(self._staged)

    def publish(self, *, force: bool) -> None:
        """Move all files to their places.

        Raises: InputError where a place holds other content, unless ``force``; then nothing is moved.
        """
        staged = self.finish()
        taken = [
            name
            for name, path in staged.items()
            if (self._folder / name).exists() and not filecmp.cmp(path, self._folder / name, shallow=False)
        ]
        if taken and not force:
            raise InputError(
                f"{self._folder} holds other content in {', '.join(taken[:3])}"
                f"{f' and {len(taken) - 3} more' if len(taken) > 3 else ''}: choose another --out, or pass --force"
            )
        for name, path in staged.items():
            path.replace(self._folder / name)
        self._staged.clear()
