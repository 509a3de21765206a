"""The whole of /api/current-traffic as bytes, plain and compressed, made once per state of the city."""

import secrets
import threading
from collections.abc import Iterable
from datetime import datetime

import orjson
from flask import Response

from api.compression import accepts_gzip, compress
from api.state import CityState


def encode(data_time_utc: datetime | None, cells: Iterable[bytes], next_cursor: str | None = None) -> bytes:
    """JSON of ``models.CurrentTraffic``; ``cells`` are encoded already."""
    found = [orjson.Fragment(cell) for cell in cells]
    return orjson.dumps(
        {"data_time_utc": data_time_utc, "cells": found, "next_cursor": next_cursor}, option=orjson.OPT_UTC_Z
    )


class Bodies:
    """Caches the body of the newest version."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Versions start again at 0 with each process: the tag must not match that of the process before.
        self._process = secrets.token_hex(4)
        self._made: tuple[int, bytes, bytes] | None = None

    def etag(self, version: int) -> str:
        """Tag of everything computed from that version."""
        return f"{self._process}-{version}"

    def current(self, state: CityState) -> tuple[str, bytes, bytes]:
        """(ETag as a header says it, the body plain, and compressed), encoded at most once per version."""
        version, plain, packed = self._current(state)
        return f'W/"{self.etag(version)}"', plain, packed

    def _current(self, state: CityState) -> tuple[int, bytes, bytes]:
        made = self._made
        if made is None or made[0] != state.version:
            with self._lock:
                made = self._made
                if made is None or made[0] != state.version:
                    made = self._make(state)
                    self._made = made
        return made

    def respond(self, state: CityState) -> Response:
        """The answer."""
        version, plain, packed = self._current(state)
        response = Response(packed if accepts_gzip() else plain, mimetype="application/json")
        if accepts_gzip():
            response.headers["Content-Encoding"] = "gzip"
        response.vary.update(("Accept", "Accept-Encoding"))
        response.set_etag(self.etag(version), weak=True)
        response.headers["Cache-Control"] = "no-cache"
        return response

    @staticmethod
    def _make(state: CityState) -> tuple[int, bytes, bytes]:
        version, cells = state.view()
        newest = max((cell.window.window_end_utc for cell in cells.values()), default=None)
        body = encode(newest, [cells[cell_id].json for cell_id in sorted(cells)])
        return version, body, compress(body)
