"""Knowing the training data again: each row by a few projections, the whole by a digest.

scikit-learn hands `score_samples` the rows that `fit` saw, as a whole, permuted or in part, and changed in the last
digits where a transformer stands before. The data itself is not kept. A dataset too large to be read as a whole is read
when its rows are looked for.
"""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from torch.utils.data import Subset

from curvdetect.data.datasets import DatasetInputs
from curvdetect.data.isolation import isolated_rng, spread
from curvdetect.data.items import reads_the_same
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.data.wording import named

#: Rows count as equal when no column differs by more than about this share of its scale.
TOLERANCE = 1e-5
#: Share of a column's mean that belongs to its scale; rounding to float32 moves the mean by less.
_OF_MEAN = 0.01
_PROJECTIONS = 6
_CHUNK_BYTES = 2**23
#: Rows that columns' scales are taken from, at least.
_FOR_SCALES = 64
#: Samples that stand for those of a dataset too large to be read as a whole, and bytes of others digested at once.
_FEW, _DIGESTED_BYTES = 256, 2**26


class RowIndex:
    """Recognise the rows of the data that a detector was fitted on."""

    def __init__(self, samples: Samples) -> None:
        self.shape = samples.shape
        self.labels = samples.labels.numpy()
        size = int(np.prod(self.shape))
        directions = np.random.default_rng(0).standard_normal((size, _PROJECTIONS))
        self.directions = directions / np.linalg.norm(directions, axis=0)
        self.tolerance = TOLERANCE * size**0.5
        # every column on a scale of its own: one of large numbers would hide the others
        with isolated_rng(torch.device("cpu")):  # a dataset may draw
            some = samples.batch(spread(len(samples), max(self._chunk, _FOR_SCALES)))
        rows = some.double().flatten(1).numpy()
        self.center = rows.mean(0)
        scale = rows.std(0) + _OF_MEAN * np.abs(self.center)
        self.scale = np.where(scale > 0, scale, 1)
        self.points: NDArray[np.float64] | None = None
        self._unread = samples if samples.unread else None
        if self._unread is None:
            self.points = self._project(samples)

    def __getstate__(self) -> Record:
        """Leave a dataset behind: it is the caller's."""
        return {**vars(self), "_unread": None}

    def find(self, samples: Samples) -> NDArray[np.int64]:
        """Return the training index of every sample, by preference its own position, or raise which were not fitted."""
        itself = self._part_of_itself(samples)
        if itself is not None:
            return itself
        self.check_shape(samples.shape)
        points, known = self._project(samples), self._known()
        everywhere = np.arange(len(points))
        if len(points) == len(known) and self._are_near(points, known):
            return everywhere
        rows, owner, copies, at_home = _look_up(points, known, self.tolerance)
        found = _first_under(rows, owner, copies)
        self._refuse(everywhere[found < 0], "not among the rows that were fitted")
        differs = self.labels[copies] != self.labels[_first_under(owner, owner, copies)]
        clash = np.isin(rows, owner[differs])
        self._refuse(everywhere[clash], "found several times among the fitted rows, under different labels")
        return np.where(at_home, everywhere, found)

    def find_labelled(self, samples: Samples) -> NDArray[np.int64]:
        """Return the training index of every sample that was fitted under the label it has, and -1 for the others."""
        labels = samples.labels.numpy()
        itself = self._part_of_itself(samples)
        if itself is not None:
            return np.where(self.labels[itself] == labels, itself, -1)
        if self.points is None:
            return np.full(len(samples), -1)
        rows, owner, copies, at_home = _look_up(self._project(samples), self.points, self.tolerance)
        n_classes = int(self.labels.max()) + 1
        found = _first_under(rows * n_classes + labels, owner * n_classes + self.labels[copies], copies)
        here = np.flatnonzero(at_home)
        here = here[self.labels[here] == labels[here]]
        found[here] = here
        return found

    def are_first(self, samples: Samples) -> bool:
        """Say whether samples are the first of the training data, in its order."""
        points, known = self._project(samples), self._known()[: len(samples)]
        return len(points) == len(known) and self._are_near(points, known)

    def _are_near(self, points: NDArray[np.float64], known: NDArray[np.float64]) -> bool:
        return bool((np.linalg.norm(points - known, axis=1) <= self.tolerance).all())

    def _part_of_itself(self, samples: Samples) -> NDArray[np.int64] | None:
        """Return the indices of the very dataset that was never read as a whole, or of a subset of it."""
        asked, fitted = samples.inputs, None if self._unread is None else self._unread.inputs
        if not isinstance(asked, DatasetInputs) or not isinstance(fitted, DatasetInputs):
            return None
        known: object = fitted.dataset
        if asked.dataset is known:
            return np.arange(len(self.labels))
        if isinstance(asked.dataset, Subset) and asked.dataset.dataset is known:
            return np.asarray(asked.dataset.indices, dtype=np.int64)
        return None

    def _known(self) -> NDArray[np.float64]:
        """Return the projections of the training data, which is read now where it was not before."""
        if self.points is None:
            if self._unread is None:
                raise ValueError(
                    "X can't be compared with the dataset that was fitted: it was too large to be read as a whole, and "
                    "is not kept with a detector that was saved or sent to another process. score_samples() without X "
                    "has the scores in its order."
                )
            self.points = self._project(self._unread)
        return self.points

    def _refuse(self, rows: NDArray[np.int64], why: str) -> None:
        if len(rows):
            raise ValueError(
                f"X holds {len(rows)} row(s) {why}: {named(rows.tolist())}. A training score belongs to one "
                "sample of the training run. Call score_samples() without X for the scores of the training data in "
                "their own order, or score_samples(X, y) for samples that were not fitted, by weights that "
                "keep_snapshots kept, or fit again on data that includes the rows of X under the labels you mean."
            )

    def check_shape(self, shape: tuple[int, ...]) -> None:
        """Raise where samples of this shape can't be compared with those that were fitted."""
        if shape != self.shape:
            raise ValueError(
                f"X has samples of shape {shape}, but the detector was fitted on samples of shape "
                f"{self.shape}. Pass rows of the training data, or fit again."
            )

    @property
    def _chunk(self) -> int:
        """Number of rows that fit in the memory set aside for a chunk."""
        return max(1, _CHUNK_BYTES // (8 * int(np.prod(self.shape))))

    def _project(self, samples: Samples) -> NDArray[np.float64]:
        """Return projections of all rows, read in chunks to bound the memory."""
        points = np.empty((len(samples), _PROJECTIONS))
        directions = self.directions / self.scale[:, None]
        with isolated_rng(torch.device("cpu")):
            for chunk, x in samples.read_ahead(torch.split(torch.arange(len(samples)), self._chunk)):
                points[chunk.numpy()] = x.double().flatten(1).numpy() @ directions
        points -= self.center @ directions
        return points


def _look_up(
    points: NDArray[np.float64], known: NDArray[np.float64], tolerance: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return each row's number among the distinct ones, pairs of one and a copy, and which rows are in place."""
    hair = 1e-3 * tolerance  # copies, told apart from rows that are merely similar
    # each distinct row is looked for once: n copies of one row would find n times n
    _, some, rows = np.unique(np.round(points / hair), axis=0, return_index=True, return_inverse=True)
    rows = rows.ravel()  # numpy 2.0 gave it an axis more
    tree = cKDTree(known)
    near = np.minimum(tree.query(points[some])[0] + hair, tolerance)
    found = tree.query_ball_point(points[some], near, return_sorted=True)
    owner = np.repeat(np.arange(len(some)), list(map(len, found)))
    copies = np.concatenate([[], *found]).astype(np.int64)
    shared = min(len(points), len(known))
    at_home = np.zeros(len(points), dtype=bool)
    at_home[:shared] = np.linalg.norm(points[:shared] - known[:shared], axis=1) <= near[rows[:shared]]
    return rows, owner, copies, at_home


def _first_under(wanted: NDArray[np.int64], keys: NDArray[np.int64], copies: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first of the copies under each key that is wanted, -1 where there is none."""
    known, first = np.unique(keys, return_index=True)
    there = np.isin(wanted, known)
    found = np.full(len(wanted), -1)
    found[there] = copies[first[np.searchsorted(known, wanted[there])]]
    return found


def digest_of(samples: Samples) -> dict[str, str]:
    """Return digests of the inputs as the network receives them, under ``"X"``, of the labels, under ``"y"``, and more.

    That is of ``"pred_probs"``, where some were passed.
    """
    inputs, labels = blake2b(digest_size=16), blake2b(digest_size=16)
    inputs.update(repr((len(samples), samples.shape)).encode())
    with isolated_rng(torch.device("cpu")):
        # what is another at each reading counts by its shape alone
        if not isinstance(samples.inputs, DatasetInputs) or reads_the_same(samples.inputs.dataset):
            few = (samples.batch(i[None]) for i in spread(len(samples), _FEW))
            for x in few if samples.unread else samples.in_chunks(_DIGESTED_BYTES):
                inputs.update(x.contiguous().numpy().data)
    labels.update(repr(samples.classes.tolist()).encode())
    labels.update(samples.labels.numpy().data)
    found = {"X": inputs.hexdigest(), "y": labels.hexdigest()}
    if samples.pred_probs is not None:
        found["pred_probs"] = blake2b(np.ascontiguousarray(samples.pred_probs).data, digest_size=16).hexdigest()
    return found
