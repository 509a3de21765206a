"""Airflow serves the pages of the data-quality gates to who is signed in: a task's link leads there."""

from typing import Annotated, ClassVar

from airflow.plugins_manager import AirflowPlugin
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import FileResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from smartcity.settings import Settings

FOLDER = Settings().home / "data_docs"
#: The pages hold text from data files: whatever it is, it must not act in the name of who looks at it.
HEADERS = {"Content-Security-Policy": "sandbox allow-top-navigation", "X-Content-Type-Options": "nosniff"}

app = FastAPI(title="Data Docs", openapi_url=None, docs_url=None, redoc_url=None)


async def signed_in(
    request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
) -> object:
    """Who asks, by Airflow's own rules: a token, or the cookie of its pages. Raises: 401."""
    # Every task's process loads the plug-ins, and only the server needs this.
    from airflow.api_fastapi.core_api.security import get_user

    return await get_user(request, None, given)


@app.get("/{name:path}")
def page(name: str, user: Annotated[object, Depends(signed_in)]) -> FileResponse:
    """One file of Data Docs."""
    file = (FOLDER / (name or "index.html")).resolve()
    if not file.is_relative_to(FOLDER.resolve()) or not file.is_file():
        raise HTTPException(404, f"no page {name}: no gate has run yet, or it was removed")
    return FileResponse(file, headers=HEADERS)


class DataDocsPlugin(AirflowPlugin):
    """Mounts the pages beside Airflow's own."""

    name = "data_docs"
    fastapi_apps: ClassVar = [{"app": app, "url_prefix": "/data-docs", "name": "Data Docs"}]
    external_views: ClassVar = [
        {"name": "Data Docs", "href": "/data-docs/index.html", "destination": "nav", "url_route": "data-docs-pages"}
    ]
