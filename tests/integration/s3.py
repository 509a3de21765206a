"""A real S3 server for the tests: a process of its own, in an environment of its own."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyarrow import fs

from smartcity.services.ports import free_port
from smartcity.settings import ROOT, Settings
from tests.integration.processes import answers_http, running, wait_for

LOCK = Path(__file__).with_name("s3-server.lock")


def server_environment(home: Path) -> Path:
    """The server's environment, made where it is missing; every package is checked against its hash."""
    folder = home / f"s3-server-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if (folder / "whole").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    python = str(folder / "bin" / "python")
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".venv" / "bin"))
    make = [uv, "venv", "--quiet", "--python", sys.executable] if uv else [sys.executable, "-m", "venv"]
    install = [uv, "pip", "install", "--python", python] if uv else [python, "-m", "pip", "install"]
    subprocess.run([*make, str(folder)], check=True)
    subprocess.run([*install, "--quiet", "--require-hashes", "-r", str(LOCK)], check=True)
    (folder / "whole").touch()
    return folder


@contextmanager
def s3_server(home: Path, bucket: str) -> Iterator[dict[str, str]]:
    """A server with one empty bucket; the environment by which everything finds it."""
    port = free_port()
    environment = {
        "AWS_ACCESS_KEY_ID": "traffic",
        "AWS_SECRET_ACCESS_KEY": "made-up-for-tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    log = home / "s3.log"
    program = server_environment(Settings().home) / "bin" / "moto_server"
    with running([str(program), "--host", "127.0.0.1", "--port", str(port)], log) as process:
        wait_for(lambda: answers_http(f"http://127.0.0.1:{port}/moto-api/"), process, log)
        store = fs.S3FileSystem(
            access_key=environment["AWS_ACCESS_KEY_ID"],
            secret_key=environment["AWS_SECRET_ACCESS_KEY"],
            region=environment["AWS_DEFAULT_REGION"],
            endpoint_override=environment["AWS_ENDPOINT_URL"],
            allow_bucket_creation=True,
        )
        store.create_dir(bucket)
        yield {**os.environ, **environment}
