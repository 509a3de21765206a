"""A Spark ML forest as an ONNX tree ensemble in float64, for serving without a JVM.

Spark goes left where ``feature <= threshold``; NaN fails that and goes right. BRANCH_LEQ of ONNX does the same.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
from onnx import TensorProto, helper, numpy_helper

from smartcity.errors import ModelError

#: Operator set of ai.onnx.ml whose TreeEnsembleRegressor takes float64 thresholds and weights.
ML_OPSET = 3
OPSET = 17
IR_VERSION = 9


@dataclass(frozen=True)
class TreeNode:
    """One node of a forest as Spark saves it; ``feature`` is -1 for a leaf, ``values`` what the leaf says."""

    tree: int
    node: int
    feature: int
    threshold: float
    left: int
    right: int
    values: npt.NDArray[np.float64]


def read_saved_forest(folder: Path, classes: int | None) -> list[TreeNode]:
    """Nodes of a saved RandomForest model's ``data`` folder.

    Args: classes: number of classes of a classifier, whose leaves then say the share of each; None for a regressor.
    Raises: ModelError for a categorical split, which our features never make.
    """
    # In columns: a forest has a hundred thousand nodes and more.
    table = pq.read_table(folder).combine_chunks()
    data, trees = table["nodeData"].chunk(0), table["treeID"].to_pylist()
    split, is_split = data.field("split"), data.field("leftChild").to_numpy() >= 0
    by_category = is_split & (split.field("numCategories").to_numpy() != -1)
    if by_category.any():
        first = int(by_category.argmax())
        feature = split.field("featureIndex")[first]
        raise ModelError(f"tree {trees[first]} splits feature {feature} by category; only thresholds are served")
    thresholds = np.zeros(len(data))
    # A split has one threshold, a leaf an empty list.
    thresholds[is_split] = split.field("leftCategoriesOrThreshold").filter(pa.array(is_split)).flatten().to_numpy()
    if classes is None:
        values = data.field("prediction").to_numpy().reshape(-1, 1)
    else:
        counts = data.field("impurityStats").flatten().to_numpy().reshape(-1, classes)
        values = counts / counts.sum(axis=1, keepdims=True)
    columns = (
        trees,
        data.field("id").to_pylist(),
        np.where(is_split, split.field("featureIndex").to_numpy(), -1).tolist(),
        thresholds.tolist(),
        data.field("leftChild").to_pylist(),
        data.field("rightChild").to_pylist(),
        values,
    )
    nodes = [TreeNode(*node) for node in zip(*columns, strict=True)]
    return sorted(nodes, key=lambda node: (node.tree, node.node))


def to_onnx(nodes: list[TreeNode], features: int) -> bytes:
    """The forest as an ONNX model: input ``features`` (rows, features) float64, output ``values`` (rows, targets).

    Each tree has one voice: a classifier's output is the mean of its trees' class shares, a regressor's their mean.
    """
    trees = len({node.tree for node in nodes})
    targets = len(nodes[0].values)
    leaves = [node for node in nodes if node.feature < 0]
    operator = helper.make_node(
        "TreeEnsembleRegressor",
        ["features"],
        ["values"],
        domain="ai.onnx.ml",
        n_targets=targets,
        aggregate_function="SUM",
        post_transform="NONE",
        nodes_treeids=[node.tree for node in nodes],
        nodes_nodeids=[node.node for node in nodes],
        nodes_featureids=[max(node.feature, 0) for node in nodes],
        nodes_modes=["LEAF" if node.feature < 0 else "BRANCH_LEQ" for node in nodes],
        nodes_truenodeids=[max(node.left, 0) for node in nodes],
        nodes_falsenodeids=[max(node.right, 0) for node in nodes],
        nodes_missing_value_tracks_true=[0] * len(nodes),
        nodes_values_as_tensor=numpy_helper.from_array(np.array([node.threshold for node in nodes])),
        target_treeids=[node.tree for node in leaves for _ in range(targets)],
        target_nodeids=[node.node for node in leaves for _ in range(targets)],
        target_ids=[target for _ in leaves for target in range(targets)],
        target_weights_as_tensor=numpy_helper.from_array(np.concatenate([node.values for node in leaves]) / trees),
    )
    graph = helper.make_graph(
        [operator],
        "forest",
        [helper.make_tensor_value_info("features", TensorProto.DOUBLE, [None, features])],
        [helper.make_tensor_value_info("values", TensorProto.FLOAT, [None, targets])],
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)],
        ir_version=IR_VERSION,
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content
