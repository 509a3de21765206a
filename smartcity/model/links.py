"""Where people look at trainings in MLflow, whose pages are about language models unless the address says otherwise."""

EXPERIMENT = "congestion forecast"
#: Without it an experiment opens on traces, of which a forecast has none.
_VIEW = "workflowType=machine_learning"


def runs_page(mlflow: str, experiment_id: str | None) -> str:
    """The experiment's runs, side by side; all experiments where there is none yet."""
    of_it = "" if experiment_id is None else f"/{experiment_id}/runs"
    return f"{mlflow.rstrip('/')}/#/experiments{of_it}?{_VIEW}"


def run_page(mlflow: str, experiment_id: str, run_id: str) -> str:
    """One run."""
    return f"{mlflow.rstrip('/')}/#/experiments/{experiment_id}/runs/{run_id}?{_VIEW}"
