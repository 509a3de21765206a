"""The embedded registry: ``python -m smartcity.model.server --port 5001 --artifacts FOLDER``.

Its database is what ``MLFLOW_BACKEND_STORE_URI`` says (SQLAlchemy URL).

The same server as ``mlflow server`` runs, in this process: that one loads all of MLflow twice, once to start the other
and once in it, which costs seconds of every start and 250 MB for as long as it runs.
"""

import argparse
import os


def main() -> None:
    """Serve on loopback until told to end."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--artifacts", required=True, help="folder that the server keeps artifacts in")
    options = arguments.parse_args()
    store = os.environ["MLFLOW_BACKEND_STORE_URI"]

    import uvicorn
    from mlflow.server import constants

    # What the command line of MLflow hands to its workers; the app reads it when it is imported.
    os.environ |= {
        "MLFLOW_TRACKING_URI": store,
        "MLFLOW_REGISTRY_URI": store,
        constants.BACKEND_STORE_URI_ENV_VAR: store,
        constants.REGISTRY_STORE_URI_ENV_VAR: store,
        constants.ARTIFACT_ROOT_ENV_VAR: "mlflow-artifacts:/",
        constants.ARTIFACTS_DESTINATION_ENV_VAR: options.artifacts,
        constants.SERVE_ARTIFACTS_ENV_VAR: "true",
        "_MLFLOW_SGI_NAME": "uvicorn",
    }
    from mlflow.server.fastapi_app import app
    from mlflow.server.handlers import initialize_backend_stores

    # Makes the tables, or says here and now what is wrong with them.
    initialize_backend_stores(store, store, "mlflow-artifacts:/")
    uvicorn.run(app, host="127.0.0.1", port=options.port, log_level="warning")


if __name__ == "__main__":
    main()
