"""``traffic secrets``: makes the secrets of the full deployment and writes them into ``.env``."""

import base64
import os
import re
import secrets
from collections.abc import Callable
from pathlib import Path

import click

from smartcity.errors import SettingsError
from smartcity.settings import ROOT

#: 32 random bytes; hex, so that a password can stand in a database's address unescaped.
_BYTES = 32


def _fernet() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


def _hex() -> str:
    return secrets.token_hex(_BYTES)


#: Name in ``.env`` -> what makes a value.
SECRETS: dict[str, Callable[[], str]] = {
    "TRAFFIC_API_TOKEN": _hex,
    "POSTGRES_PASSWORD": _hex,
    "AIRFLOW_FERNET_KEY": _fernet,
    "AIRFLOW_SECRET_KEY": _hex,
    "AIRFLOW_JWT_SECRET": _hex,
}


def filled(text: str) -> tuple[str, list[str]]:
    """``text`` of an ``.env`` with a value for every secret that has none, and the names of those made.

    A secret that has a value keeps it: the database and what Airflow has encrypted know it already.
    """
    made = []
    for name, make in SECRETS.items():
        if re.search(rf"^{name}=[^\S\n]*[^\s#]", text, re.MULTILINE):
            continue
        line = f"{name}={make()}"
        # The line that shows the name, commented out or empty, is where a reader looks for it.
        text, found = re.subn(rf"^(?:# ?)?{name}=[^\S\n]*(?:#.*)?$", line, text, count=1, flags=re.MULTILINE)
        if not found:
            text = f"{text.rstrip()}\n{line}\n".lstrip()
        made.append(name)
    return text, made


def write(path: Path, text: str) -> None:
    """Replace ``path`` whole; for its owner's eyes only from the first byte on."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    temporary.replace(path)


@click.command()
@click.option(
    "--file",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=ROOT / ".env",
    help="Default: .env beside docker-compose.yml.",
)
def command(path: Path) -> None:
    """Make the secrets that FILE lacks, each at random; those it has stay. A missing FILE starts as .env.example."""
    if path.is_symlink():
        raise SettingsError(f"{path} is a symbolic link: name the file it leads to with --file")
    text, made = filled((path if path.exists() else ROOT / ".env.example").read_text())
    if made:
        write(path, text)
    click.echo(f"{path}: {len(made)} secrets made{': ' if made else ''}{', '.join(made)}; {_kept(made)} kept")


def _kept(made: list[str]) -> int:
    return len(SECRETS) - len(made)
