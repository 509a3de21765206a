"""New trip files from their publisher: each month once, checked, and continued where it broke off.

A file is written under another ending until it is whole, so that no run takes a part of it for a file. What came stays
for the next try, with the version of the file that it is of: a server that has another one by then sends all of it.
"""

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from http.client import HTTPException, HTTPMessage
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from smartcity.errors import DownloadError, SettingsError
from smartcity.hashing import file_digest, file_sha256
from smartcity.inbox import DONE, ENDINGS
from smartcity.settings import Settings

TIMEOUT_SECONDS = 60
_PIECE = 1 << 20
#: A store answers 403 for what it does not have to somebody who may not list it; the trip records' does.
NOT_THERE = {403, 404, 410}
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True)
class Fetched:
    """A file that is whole now. ``checked``: by what; ``resumed_at``: bytes that an earlier try had brought."""

    path: Path
    size: int
    sha256: str
    checked: str
    resumed_at: int

    def line(self) -> str:
        """For the log."""
        begun = f", {self.resumed_at:,} of them by an earlier try" if self.resumed_at else ""
        return f"{self.path.name}: {self.size:,} bytes{begun}; {self.checked}; SHA-256 {self.sha256}"


def fetch_new(settings: Settings, folder: Path, until: date, say: Callable[[str], None] = print) -> list[Fetched]:
    """Fetch the months from ``download_from`` to ``until`` that are neither in ``folder`` nor were put away from it.

    Ends at the first month that is not published yet. Raises: DownloadError where a file cannot be had, or is another
    than its checksum says; SettingsError where the settings do not name files by month.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fetched = []
    for month in _months(settings.download_from, until):
        address = at(settings.download, month)
        name = file_name(address)
        if (folder / name).exists() or (folder / DONE / name).exists():
            continue
        found = fetch(address, folder, at(settings.download_sha256, month) if settings.download_sha256 else None)
        if found is None:
            say(f"{name} is not published yet")
            break
        say(found.line())
        fetched.append(found)
    return fetched


def at(pattern: str, month: date) -> str:
    """The address of a month's file. Raises: SettingsError for a pattern that names the same file for all months."""
    address = month.strftime(pattern.replace("%", "%%").replace("{year}", "%Y").replace("{month}", "%m"))
    if not ("{year}" in pattern and "{month}" in pattern and urlsplit(address).scheme in ("http", "https")):
        raise SettingsError(f"TRAFFIC_DOWNLOAD: {pattern!r} is no http address with {{year}} and {{month}} in it")
    return address


def file_name(address: str) -> str:
    """What a file is called in the inbox. Raises: SettingsError where no run would find it there."""
    name = PurePosixPath(urlsplit(address).path).name
    if not name.lower().endswith(ENDINGS):
        raise SettingsError(f"TRAFFIC_DOWNLOAD: {address} names no trip file ({', '.join(ENDINGS)})")
    return name


def _months(first: str, until: date) -> Iterator[date]:
    year, month = map(int, first.split("-"))
    for number in range(year * 12 + month - 1, until.year * 12 + until.month):
        yield date(number // 12, number % 12 + 1, 1)


def fetch(address: str, folder: Path, checksum: str | None = None) -> Fetched | None:
    """Fetch one file into ``folder``; None where the publisher does not have it.

    Args: checksum: address of its SHA-256; without one, it is checked against what the server says of it.
    """
    target = folder / file_name(address)
    part, version = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part-of")
    begun = part.stat().st_size if part.exists() and version.exists() else 0
    request = urllib.request.Request(address)
    if begun:
        request.add_header("Range", f"bytes={begun}-")
        request.add_header("If-Range", version.read_text())
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
            begun, size = _extent(answer.status, answer.headers, begun)
            _note_version(version, answer.headers)
            # Before the file itself: without it, nothing that comes could be taken.
            wanted = _expected(checksum, answer.headers)
            with part.open("ab" if begun else "wb") as stream:
                while piece := answer.read(_PIECE):
                    stream.write(piece)
    except urllib.error.HTTPError as error:
        if error.code in NOT_THERE:
            return None
        if error.code == 416:
            part.unlink()
            raise DownloadError(f"{address}: what had come is longer than the file; the next try begins anew") from None
        raise DownloadError(f"{address}: the publisher answers {error.code} {error.reason}") from None
    except (OSError, HTTPException) as error:
        raise _broken(address, part, str(error)) from error
    if size is not None and part.stat().st_size < size:
        raise _broken(address, part, f"it broke off before {size:,} bytes")
    return _finish(address, part, version, target, wanted, begun)


def _extent(status: int, headers: HTTPMessage, asked: int) -> tuple[int, int | None]:
    """How much of what is there goes on, and the size of the whole file."""
    if status == 206 and (found := _RANGE.match(headers.get("Content-Range", ""))) and int(found[1]) == asked:
        return asked, int(found[2])
    return 0, int(headers["Content-Length"]) if "Content-Length" in headers else None


def _note_version(file: Path, headers: HTTPMessage) -> None:
    """Remember which version a part is of; a weak tag does not say that all bytes are the same."""
    tag = headers.get("ETag", "")
    if mark := tag if tag and not tag.startswith("W/") else headers.get("Last-Modified"):
        file.write_text(mark)
    else:
        file.unlink(missing_ok=True)


def _broken(address: str, part: Path, why: str) -> DownloadError:
    kept = part.stat().st_size if part.exists() else 0
    return DownloadError(f"{address}: {why}; {kept:,} bytes are kept in {part.name}, and the next try goes on there")


def _finish(address: str, part: Path, version: Path, target: Path, expected: tuple[str, str], begun: int) -> Fetched:
    """Check the whole file, and give it its name."""
    name, wanted = expected
    digest = file_digest(part, name) if name else ""
    if digest != wanted:
        part.unlink()
        version.unlink(missing_ok=True)
        raise DownloadError(f"{address}: its {name} is {digest}, and should be {wanted}; the next try begins anew")
    found = Fetched(
        path=target,
        size=part.stat().st_size,
        sha256=digest if name == "sha256" else file_sha256(part),
        checked=f"its {name} is as published" if name else "whole by its length; the publisher tells no checksum",
        resumed_at=begun,
    )
    version.unlink(missing_ok=True)
    part.replace(target)
    return found


def _expected(checksum: str | None, said: HTTPMessage) -> tuple[str, str]:
    """Name of an algorithm and the digest in hex: published beside the file, or told by the server; else empty."""
    if checksum:
        return "sha256", _published(checksum)
    told = re.search(r"sha-256=:([^:]+):", said.get("Repr-Digest", ""))
    if encoded := told[1] if told else said.get("x-amz-checksum-sha256"):
        return "sha256", base64.b64decode(encoded).hex()
    if encoded := said.get("Content-MD5"):
        return "md5", base64.b64decode(encoded).hex()
    return "", ""


def _published(address: str) -> str:
    """The first word of a file as ``sha256sum`` writes it."""
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_SECONDS) as answer:
            text = answer.read(1024).decode(errors="replace")
    except (OSError, HTTPException) as error:
        raise DownloadError(f"{address}: the checksum cannot be had ({error}); the file is not taken") from error
    if not (found := re.match(r"\s*([0-9a-fA-F]{64})\b", text)):
        raise DownloadError(f"{address}: holds no SHA-256, but {json.dumps(text[:40])}; the file is not taken")
    return found[1].lower()
