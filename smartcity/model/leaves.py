"""A fitted forest of regression trees in NumPy: which leaf a row falls into, and leaves filled with another target.

The trees part the rows by what matters for a forecast; the mean of any other target over the rows of a leaf is a
forecast of that target. So one fitted forest foretells every step on the way to its own horizon.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from smartcity.model.forest import TreeNode

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: Rows' worth of trust in the mean over all rows, for a leaf that few rows reach.
LEAF_SHRINK = 1.0


@dataclass(frozen=True)
class Trees:
    """Nodes of all trees in one numbering; ``feature`` is -1 for a leaf, ``roots`` has one node for each tree."""

    roots: Ints
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints

    @classmethod
    def of(cls, nodes: list[TreeNode]) -> "Trees":
        """Number the nodes of a forest through."""
        number = {(node.tree, node.node): index for index, node in enumerate(nodes)}

        def child(node: TreeNode, which: int) -> int:
            return number[node.tree, which] if node.feature >= 0 else -1

        return cls(
            roots=np.array([number[node.tree, node.node] for node in nodes if node.node == 0]),
            feature=np.array([node.feature for node in nodes]),
            threshold=np.array([node.threshold for node in nodes]),
            left=np.array([child(node, node.left) for node in nodes]),
            right=np.array([child(node, node.right) for node in nodes]),
        )

    def leaf(self, inputs: Floats) -> Ints:
        """Node in which each row ends, shape (trees, rows). NaN goes right, as in Spark and in the export."""
        found = np.empty((len(self.roots), len(inputs)), dtype=np.int64)
        for tree, root in enumerate(self.roots):
            at = np.full(len(inputs), root)
            inner = np.flatnonzero(self.feature[at] >= 0)
            while len(inner):
                node = at[inner]
                left = inputs[inner, self.feature[node]] <= self.threshold[node]
                at[inner] = np.where(left, self.left[node], self.right[node])
                inner = inner[self.feature[at[inner]] >= 0]
            found[tree] = at
        return found

    def refilled(self, leaf: Ints, target: Floats) -> Floats:
        """Mean of ``target`` over the rows that end in each node, shape (nodes,). Args: leaf: of the same rows."""
        counts, sums = np.zeros(len(self.feature)), np.zeros(len(self.feature))
        for at in leaf:
            counts += np.bincount(at, minlength=len(counts))
            sums += np.bincount(at, target, len(sums))
        return np.asarray((sums + LEAF_SHRINK * target.mean()) / (counts + LEAF_SHRINK))
