"""A Great Expectations context whose results and Data Docs live under the settings' home; nothing leaves the host."""

import os
from pathlib import Path

#: Read when the package is imported: its progress bars would fill the task's log, and it must not report usage.
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context import EphemeralDataContext
from great_expectations.data_context.types.base import DataContextConfig, ProgressBarsConfig

SITE = "data_docs"


def open_context(home: Path) -> EphemeralDataContext:
    """Suites are code, so they stay in memory; results and pages go to files and keep their history."""
    files = {"class_name": "TupleFilesystemStoreBackend"}
    memory = {"class_name": "InMemoryStoreBackend"}
    config = DataContextConfig(
        config_version=4.0,
        expectations_store_name="expectations",
        validation_results_store_name="validations",
        checkpoint_store_name="checkpoints",
        stores={
            "expectations": {"class_name": "ExpectationsStore", "store_backend": memory},
            "validations": {
                "class_name": "ValidationResultsStore",
                "store_backend": {**files, "base_directory": str(home / "gx" / "validations")},
            },
            "checkpoints": {"class_name": "CheckpointStore", "store_backend": memory},
            "validation_definition_store": {"class_name": "ValidationDefinitionStore", "store_backend": memory},
        },
        data_docs_sites={
            SITE: {
                "class_name": "SiteBuilder",
                "show_how_to_buttons": False,
                "store_backend": {**files, "base_directory": str(home / "data_docs")},
                "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "show_cta_footer": False},
            }
        },
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False, metric_calculations=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)
