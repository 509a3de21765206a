"""Requests a second on ``/api/current-traffic``, beside a bare Flask route that returns the same bytes.

    ./traffic bench api --cells 1000 --seconds 10 --rounds 3
    ./traffic bench api --contract 150 [--postgresql | --database URL]

Both servers run at once under the same gunicorn settings; the load goes to one and the other in turns, so that
whatever else the machine does hits both. ``--contract``: Schemathesis instead, with so many examples for each phase
and operation: 150 make about 3,000 requests. ``--postgresql``: on a server of its own.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks._load import Load, percentile, seed, served
from benchmarks._postgres import Postgres, has_postgresql
from smartcity.errors import InputError
from smartcity.model.registry import champion_version
from smartcity.services.ports import free_port
from smartcity.settings import Settings

PATH = "/api/current-traffic"


def _fetch(port: int) -> tuple[bytes, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{PATH}", headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(request) as answer:
        return answer.read(), answer.headers["ETag"]


def _request(*headers: str) -> bytes:
    lines = [f"GET {PATH} HTTP/1.1", "Host: 127.0.0.1", "Accept-Encoding: gzip", *headers, "", ""]
    return "\r\n".join(lines).encode()


def measure(cells: int, seconds: float, rounds: int, connections: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="bench-api-") as folder:
        home = Path(folder)
        seed(Settings(home=home), cells, 30)
        with served("api", home) as (ours, _):
            body, tag = _fetch(ours)
            (home / "body").write_bytes(body)
            with served("benchmarks._bare", home, BARE_BODY=str(home / "body")) as (bare, _):
                plain, unchanged = _request(), _request(f"If-None-Match: {tag}")
                runs: dict[str, list[list[float]]] = {"bare": [], "ours": [], "unchanged": []}
                for _ in range(rounds):
                    runs["bare"].append(Load(bare, plain, connections).run(seconds, b"200"))
                    runs["ours"].append(Load(ours, plain, connections).run(seconds, b"200"))
                    runs["unchanged"].append(Load(ours, unchanged, connections).run(seconds, b"304"))
    rates = {name: [len(run) / seconds for run in found] for name, found in runs.items()}
    pairs = list(zip(rates["ours"], rates["bare"], strict=True))
    return {
        "cells": cells,
        "body_bytes": len(body),
        "requests_per_second_200": round(median(rates["ours"])),
        "requests_per_second_304": round(median(rates["unchanged"])),
        "requests_per_second_bare": round(median(rates["bare"])),
        "ratio_to_bare": round(median(mine / theirs for mine, theirs in pairs), 3),
        "p99_ms_200": round(1000 * median(percentile(run, 0.99) for run in runs["ours"]), 1),
        "p99_ms_304": round(1000 * median(percentile(run, 0.99) for run in runs["unchanged"]), 1),
        "p99_ms_bare": round(1000 * median(percentile(run, 0.99) for run in runs["bare"]), 1),
    }


def contract(examples: int, database: str) -> int:
    """Schemathesis against the running API. Returns: its exit code.

    All checks but one: what a schema allows may be refused, for it cannot say that west < east. With a token and a
    registry without versions, so that what controls the system is asked too.
    """
    with tempfile.TemporaryDirectory(prefix="bench-api-") as folder:
        home = Path(folder)
        store, token = f"sqlite:///{home / 'mlflow.db'}", secrets.token_hex(16)
        settings = Settings(home=home, database_url=database, mlflow_tracking_uri=store)
        seed(settings, 50, 120)
        # Its tables are made at the first question, which takes longer than a request may.
        champion_version(settings)
        environment = {
            "TRAFFIC_DATABASE_URL": database,
            "TRAFFIC_MLFLOW_TRACKING_URI": store,
            "TRAFFIC_API_TOKEN": token,
        }
        with served("api", home, **environment) as (port, _):
            tool = Path(sys.executable).parent / "schemathesis"
            command = [
                *(str(tool), "run", f"http://127.0.0.1:{port}/api/openapi.json", "--max-examples", str(examples)),
                *("--header", f"Authorization: Bearer {token}", "--request-timeout", "30"),
                *("--checks", "all", "--exclude-checks", "positive_data_acceptance", "--continue-on-failure"),
                # Without a broker it answers 503, as it should.
                *("--exclude-path", "/api/health", "--suppress-health-check", "all"),
            ]
            return subprocess.run(command, check=False, cwd=home).returncode


@contextmanager
def postgresql() -> Iterator[str]:
    """URL of an empty PostgreSQL; it is stopped and deleted afterwards."""
    if not has_postgresql():
        raise InputError("PostgreSQL (initdb, postgres) is not installed, or has no account to run under")
    server = Postgres(free_port())
    server.make()
    try:
        process = subprocess.Popen(server.command, cwd="/", stderr=subprocess.DEVNULL, **server.account)
        try:
            while not server.answers():
                if process.poll() is not None:
                    raise InputError(f"PostgreSQL did not start (exit {process.returncode}): {server.command}")
                time.sleep(0.1)
            yield server.url
        finally:
            process.terminate()
            process.wait(30)
    finally:
        server.remove()


def main() -> None:
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--cells", type=int, default=1000)
    arguments.add_argument("--seconds", type=float, default=10.0, help="of each round and server")
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--connections", type=int, default=16)
    arguments.add_argument("--contract", type=int, metavar="EXAMPLES", help="Schemathesis instead")
    arguments.add_argument("--database", default="", help="URL for --contract; default: SQLite")
    arguments.add_argument("--postgresql", action="store_true", help="--contract on a PostgreSQL of its own")
    arguments.add_argument("--json", action="store_true")
    options = arguments.parse_args()
    if options.contract and options.postgresql:
        with postgresql() as database:
            sys.exit(contract(options.contract, database))
    if options.contract:
        sys.exit(contract(options.contract, options.database))
    figures = measure(options.cells, options.seconds, options.rounds, options.connections)
    if options.json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
