"""The system about itself: health, figures, configuration, its own description."""

from datetime import timedelta
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

import orjson
from flask import Blueprint, Response

from api import docs, openapi
from api.context import Context
from api.endpoint import endpoint, json_response
from api.health import judge
from api.models import Accuracy, AccuracyStep, Center, CityConfig, Config, Health, LevelsConfig, Links, Stats
from api.queries import HealthQuery, Query
from smartcity import levels

blueprint = Blueprint("system", __name__)

ACCURACY_STEP = timedelta(minutes=15)


def _version() -> str:
    try:
        return package_version("smart-city-traffic")
    except PackageNotFoundError:
        return "0.1.0"


@endpoint(blueprint, "/api/health", query=HealthQuery, answer=Health, problems=(503,))
def health(context: Context, query: HealthQuery) -> Response:
    """Whether the system lives, is ready to serve, and how old the data of each part is.

    503 while it is not ready: no broker, no database, or nothing to show yet. Data that nothing renews is said to be
    stale. Needs no token.
    """
    judged = judge(context)
    return json_response(judged, 200 if judged.ready or query.check == "live" else 503)


@endpoint(blueprint, "/api/stats", answer=Stats)
def stats(context: Context, query: Query) -> Stats:
    """Figures of the running system: volumes, rates, delay, and how good the live forecasts are.

    Accuracy is that of the last 24 hours of event time: forecasts that came due, where the level when it was made and
    the level that came are known. Figures of the lake are at most a minute old.
    """
    summary = context.summary()
    newest = context.stream_progress
    _, cells = context.state.view()
    return Stats(
        trips=context.lake.trips,
        positions=context.lake.positions,
        lake_bytes=context.lake.lake_bytes,
        cells=len(cells),
        congested_share=summary.congested_share,
        forecast_congested_share=summary.forecast_congested_share,
        events_per_second=summary.events_per_second,
        events_total=newest["total_read"] if newest else None,
        events_rejected=newest["total_rejected"] if newest else None,
        lag_events=newest["lag_events"] if newest else None,
        live_accuracy=summary.live_accuracy,
        persistence_accuracy=summary.persistence_accuracy,
        scored_forecasts=summary.scored_forecasts,
        delay_seconds=summary.delay_seconds,
        model_version=summary.model_version,
        websocket_clients=context.websocket_clients(),
    )


@endpoint(blueprint, "/api/accuracy", answer=Accuracy)
def accuracy(context: Context, query: Query) -> Accuracy:
    """How good the live forecasts were over the last 24 hours of event time, in steps of 15 minutes.

    Of the model's forecasts; a step in which none came due is left out. All steps together make up `live_accuracy` of
    `/api/stats`.
    """
    return Accuracy(
        step_minutes=int(ACCURACY_STEP.total_seconds()) // 60,
        series=[
            AccuracyStep(
                time_utc=start,
                scored=score.scored,
                accuracy=round(score.correct / score.scored, 4),
                persistence_accuracy=round(score.persistence_correct / score.scored, 4),
            )
            for start, score in context.accuracy.steps(ACCURACY_STEP)
        ],
    )


@endpoint(blueprint, "/api/config", answer=Config)
def config(context: Context, query: Query) -> Config:
    """What a front end needs to set itself up: the city, its outline and sensors, the levels' thresholds, links.

    Links are those pages that answer now; the others are null.
    """
    city = context.city
    return Config(
        city=CityConfig(**city.model_dump(include=set(CityConfig.model_fields))),
        levels=LevelsConfig(
            low_from_ratio=levels.LOW_FROM_RATIO,
            high_below_ratio=levels.HIGH_BELOW_RATIO,
            min_vehicles=levels.MIN_VEHICLES,
        ),
        push_seconds=context.settings.push_seconds,
        units=context.settings.units,
        map_style=context.settings.map_style or None,
        links=Links(**context.links, api_docs="/api/docs"),
        outline=context.outline,
        places={name: Center(latitude=at[0], longitude=at[1]) for name, at in context.places.sensors.items()},
    )


@blueprint.get("/api/openapi.json")
def openapi_json() -> Response:
    """The OpenAPI document."""
    return json_response(orjson.dumps(openapi.document(_version())), cache_control="no-cache")


@blueprint.get("/api/docs")
def docs_page() -> Response:
    """The OpenAPI document as a page."""
    response = Response(docs.page(openapi.document(_version())), mimetype="text/html")
    response.headers["Cache-Control"] = "no-cache"
    return response
