"""A random forest as arrays, which a file can hold."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier

from curvdetect.data.types import Array

#: Bytes of the shares in the leaves that are added up at once.
CHUNK_BYTES = 2**26


class Trees:
    """The nodes of all trees of a fitted forest in a row, and the shares of the classes in its leaves."""

    def __init__(self, forest: RandomForestClassifier) -> None:
        trees = [one.tree_ for one in forest.estimators_]
        self.roots = np.cumsum([0, *(tree.node_count for tree in trees[:-1])])
        self.feature = np.concatenate([tree.feature for tree in trees]).astype(np.int32)
        self.threshold = np.concatenate([tree.threshold for tree in trees])
        left, right = (
            np.concatenate([getattr(tree, side) + root for tree, root in zip(trees, self.roots, strict=True)])
            for side in ("children_left", "children_right")
        )
        leaf = self.feature < 0
        left[leaf] = np.arange(leaf.sum())  # of a leaf, its row among the shares
        self.left, self.right = left.astype(np.int32), right.astype(np.int32)
        votes = np.concatenate([tree.value[tree.feature < 0, 0] for tree in trees])
        self.shares = (votes / votes.sum(1, keepdims=True)).astype(np.float32)

    def says(self, rows: Array) -> NDArray[np.float64]:
        """Return the mean over the trees of the shares of the classes, as the forest's ``predict_proba`` has it."""
        step = max(1, CHUNK_BYTES // (self.roots.size * self.shares[0].nbytes))
        return np.concatenate([self._of(rows[at : at + step]) for at in range(0, len(rows), step)])

    def _of(self, rows: Array) -> NDArray[np.float64]:
        rows = rows.astype(np.float32)  # as scikit-learn compares them
        node, row = np.tile(self.roots, len(rows)), np.repeat(np.arange(len(rows)), len(self.roots))
        moving = np.flatnonzero(self.feature[node] >= 0)
        while len(moving):
            at = node[moving]
            goes_left = rows[row[moving], self.feature[at]] <= self.threshold[at]
            node[moving] = np.where(goes_left, self.left[at], self.right[at])
            moving = moving[self.feature[node[moving]] >= 0]
        shares = self.shares[self.left[node]].reshape(len(rows), len(self.roots), -1)
        found: NDArray[np.float64] = shares.mean(1, dtype=np.float64)
        return found
