"""What a task reads and makes, for OpenLineage: the assets that its DAG names, as the Assets view shows them."""

from typing import Any
from urllib.parse import urlsplit

from airflow.providers.openlineage.extractors.base import BaseExtractor, OperatorLineage
from openlineage.client.event_v2 import Dataset


class AssetLineage(BaseExtractor):
    """Inlets and outlets as data sets. The provider itself knows none of an asset whose address is our own."""

    @classmethod
    def get_operator_classnames(cls) -> list[str]:
        """Our operators, and functions that are tasks."""
        return ["SparkJob", "TrainingJob", "Gate", "_PythonDecoratedOperator"]

    def _execute_extraction(self) -> OperatorLineage:
        return OperatorLineage(inputs=_datasets(self.operator.inlets), outputs=_datasets(self.operator.outlets))


def _datasets(assets: list[Any]) -> list[Dataset]:
    parts = [urlsplit(asset.uri) for asset in assets]
    return [Dataset(namespace=f"{uri.scheme}://{uri.netloc}", name=uri.path.lstrip("/")) for uri in parts]
