"""A forest, whose trees say of each sample what those say that have not seen it, and its trees as arrays."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.ensemble import ExtraTreesClassifier

from curvdetect.data.inputs import HeldInputs, MappedInputs
from curvdetect.data.samples import Samples
from curvdetect.data.types import Array, Record
from curvdetect.signals.calibration import calibrated

#: Trees of the forest, and samples in a leaf.
N_TREES, IN_LEAF = 150, 3
#: Samples that a tree is drawn from, at least, and times the root of the number of columns, at most: what it takes.
DRAWN, LOOKED_AT = 2000, 72_000
#: Bytes of all trees at most, which hold a number for each node and class; but so many samples are drawn at least.
TREES_BYTES, DRAWN_AT_LEAST = 2**32, 100
#: Quantiles of a column that the forest tells apart, at most.
N_QUANTILES = 1000
#: Bytes of the shares in the leaves that are added up at once, and of inputs that are read at once.
CHUNK_BYTES, READ_BYTES = 2**26, 2**26


class Forest:
    """Extremely randomized trees on the ranks of each column, each fitted to a bootstrap sample."""

    def __init__(self, samples: Samples, seed: int) -> None:
        rows, n = rows_of(samples).astype(np.float32, copy=False), len(samples)
        node_bytes = 8 * N_TREES * len(samples.classes)
        fitting = max(DRAWN_AT_LEAST, TREES_BYTES // node_bytes * IN_LEAF // 2)  # a node for two thirds of a sample
        drawn = min(n, fitting, max(DRAWN, round(LOOKED_AT / rows.shape[1] ** 0.5)))
        forest = ExtraTreesClassifier(
            N_TREES,
            min_samples_leaf=IN_LEAF,
            bootstrap=True,
            max_samples=drawn,
            oob_score=True,
            random_state=seed % 2**32,
        )
        # a threshold at random between the ends of a column with a heavy tail would part nothing
        shown = np.linspace(0, n - 1, min(n, N_QUANTILES)).round().astype(int)
        self.quantiles = np.stack([np.sort(column)[shown] for column in rows.T])
        with warnings.catch_warnings():
            # of many classes it was warned before
            warnings.filterwarnings("ignore", "The number of unique classes is greater than", UserWarning)
            forest.fit(self._ranked(rows), samples.labels.numpy())
        # by the share of the trees that have not seen a sample
        logits = _logits_of_votes(forest.oob_decision_function_, np.exp(-drawn / n) * N_TREES)
        self.factors, self.offsets, _ = calibrated(torch.from_numpy(logits), samples.labels)
        self.left_out = log_softmax(logits * self.factors + self.offsets, axis=1)
        self.trees = Trees(forest)

    def __getstate__(self) -> Record:
        """Return what new samples need."""
        return {name: getattr(self, name) for name in ("trees", "factors", "offsets", "quantiles")}

    def says(self, samples: Samples, device: torch.device) -> NDArray[np.float64]:
        """Return log-probabilities for samples that were not fitted."""
        logits = _logits_of_votes(self.trees.says(self._ranked(rows_of(samples))), N_TREES)
        found: NDArray[np.float64] = log_softmax(logits * self.factors + self.offsets, axis=1)
        return found

    def _ranked(self, rows: Array) -> NDArray[np.float32]:
        """Return how many quantiles of its column are below each number, and half of those that equal it."""
        ranked = np.empty(rows.shape, dtype=np.float32)
        for at, (quantiles, column) in enumerate(zip(self.quantiles, rows.T, strict=True)):
            below, up_to = (np.searchsorted(quantiles, column, side) for side in ("left", "right"))
            ranked[:, at] = (below + up_to) / 2
        return ranked


def _logits_of_votes(votes: NDArray[np.float64], n_trees: float) -> NDArray[np.float64]:
    """Return logarithms of shares of votes, one more vote spread evenly among them, over that of an even share."""
    votes, k = np.nan_to_num(votes), votes.shape[1]  # nan for a sample that every tree has seen
    return np.log((votes * n_trees + 1 / k) / (n_trees + 1) * k)


def rows_of(samples: Samples) -> Array:
    """Return the inputs of all samples as rows, without a copy where they are in memory."""
    held = samples.inputs
    if isinstance(held, HeldInputs) and held.tensor.is_floating_point():
        return held.tensor.cpu().flatten(1).numpy()
    if isinstance(held, MappedInputs) and len(held.shape) == 1 and held.array.dtype.kind == "f":
        return held.array
    return torch.cat([x.flatten(1) for x in samples.in_chunks(READ_BYTES)]).numpy()


class Trees:
    """The nodes of all trees of a fitted forest in a row, and the shares of the classes in its leaves."""

    def __init__(self, forest: ExtraTreesClassifier) -> None:
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
