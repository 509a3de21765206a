"""Pages: the built front end, and Data Docs where they were made."""

from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory
from werkzeug.security import safe_join

from api.compression import accepts_gzip
from api.endpoint import context
from api.problems import Problem

blueprint = Blueprint("pages", __name__)


def _send(folder: Path, name: str) -> Response:
    """A file of ``folder``, its compressed twin where there is one. Names carry no hash, so clients must ask again."""
    path = safe_join(str(folder), name)
    if path is None or not Path(path).is_file():
        raise Problem(404, f"There is no file {request.path}.")
    packed = accepts_gzip() and Path(f"{path}.gz").is_file()
    response = send_from_directory(folder, f"{name}.gz" if packed else name, conditional=True)
    if packed:
        plain = send_from_directory(folder, name)
        response.mimetype = plain.mimetype or "application/octet-stream"
        plain.close()
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.headers["Cache-Control"] = "no-cache"
    return response


@blueprint.get("/")
def landing() -> Response:
    """The landing page."""
    return _send(context().frontend, "index.html")


@blueprint.get("/dashboard")
def dashboard() -> Response:
    """The dashboard; its query string is read by the page."""
    return _send(context().frontend, "dashboard.html")


@blueprint.get("/assets/<path:name>")
def assets(name: str) -> Response:
    """Scripts, styles, images of the pages."""
    return _send(context().frontend / "assets", name)


@blueprint.get("/data-docs/")
@blueprint.get("/data-docs/<path:name>")
def data_docs(name: str = "index.html") -> Response:
    """Great Expectations' pages."""
    return _send(context().settings.home / "data_docs", name)
