"""Probabilities that a model of the user's own gave, out of fold: checked, and made a witness of each label."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.special import log_softmax

from curvdetect.data.labels import plain
from curvdetect.data.samples import Samples
from curvdetect.data.types import Array
from curvdetect.data.wording import brief, listed, warn
from curvdetect.signals.calibration import calibrated

#: How far the sum of a row may be from 1.
ROUNDING = 0.02
#: Zeros count as half of the least probability that is none, but for no less than this.
LEAST = 1e-12
#: Share of the labels that are the most probable, and mean probability of the most probable class, above which a model
#: seems to have seen the labels.
SEEN, SURE = 0.998, 0.99
#: What to do where the model knows classes that no label has.
_WITHOUT_OTHERS = " Leave out the columns of classes that no label has, and divide each row by the sum of the others."


class Passed:
    """The model of the user's own as a witness: by a factor and an offset for each class, as a forest's votes are."""

    def __init__(self, samples: Samples) -> None:
        said = samples.pred_probs
        if said is None:
            raise ValueError("signals hold 'pred_probs', and fit was given none: fit(X, y, pred_probs=...).")
        least = max(LEAST, said[said > 0].min() / 2)
        logits = np.log(np.maximum(said, least) * said.shape[1])
        factors, offsets, _ = calibrated(torch.from_numpy(logits), samples.labels)
        self.left_out: NDArray[np.float64] = log_softmax(logits * factors + offsets, axis=1)

    def says(self, samples: Samples, device: torch.device) -> NDArray[np.float64]:
        """Raise: of other samples nothing was passed."""
        raise NotImplementedError


def check_probabilities(
    pred_probs: object, n_samples: int, classes: Array, name: str = "pred_probs"
) -> NDArray[np.float64]:
    """Return probabilities with columns in the order of the classes, or raise what is wrong with them.

    Errors call them ``name``.
    """
    if isinstance(pred_probs, pd.DataFrame):
        pred_probs = _ordered(pred_probs, classes, name)
    given = plain(pred_probs, name)
    try:
        found = np.asarray(given)
        numbers = found.astype(np.float64) if found.dtype.kind in "biufO" else None
    except (TypeError, ValueError):
        numbers = None
    if numbers is None:
        raise ValueError(f"{name} must be probabilities, numbers of shape (n_samples, n_classes), got {brief(given)}.")
    wanted = (n_samples, len(classes))
    if numbers.shape != wanted:
        what = f"{name} has shape {numbers.shape}, and there are {wanted[0]} samples of {wanted[1]} classes"
        if numbers.ndim == 2 and len(numbers) == n_samples:
            what += f" ({brief(classes.tolist())})"
        raise ValueError(
            f"{what}: it must have shape {wanted}, a row for each sample and a column for each class."
            f"{_WITHOUT_OTHERS if numbers.ndim == 2 and numbers.shape[1] > len(classes) else ''}"
        )
    if not np.isfinite(numbers).all():
        row = int(np.isfinite(numbers).all(1).argmin())
        raise ValueError(f"{name} holds NaN or infinity, first in row {row}. Each sample needs probabilities.")
    sums = numbers.sum(1)
    if numbers.min() < 0 or numbers.max() > 1 + ROUNDING or (off := abs(sums - 1)).max() > ROUNDING:
        outside = (numbers < 0) | (numbers > 1 + ROUNDING)
        row = int(outside.any(1).argmax() if outside.any() else off.argmax())
        raise ValueError(
            f"{name} must hold probabilities in [0, 1] that sum to 1 in each row; row {row} is {brief(numbers[row])}, "
            f"whose sum is {sums[row]:.4g}. Logits become probabilities by scipy.special.softmax(logits, axis=1)."
        )
    numbers = numbers.clip(0, 1)
    return numbers / numbers.sum(1, keepdims=True)


def _ordered(frame: pd.DataFrame, classes: Array, name: str) -> pd.DataFrame:
    """Return the columns in the order of the classes by which they are named; those that have plain numbers stay."""
    names = [str(column) for column in frame.columns]
    wanted = [str(label) for label in classes.tolist()]
    if sorted(names) == sorted(wanted) and len(set(names)) == len(names):
        return frame.iloc[:, [names.index(label) for label in wanted]]
    if names == [str(number) for number in range(len(wanted))]:
        return frame
    missing, unknown = [one for one in wanted if one not in names], [one for one in names if one not in wanted]
    found = [f"no column for {listed(missing, 80)}"] if missing else []
    found += [f"columns of no class ({listed(unknown, 80)})"] if unknown else []
    if unknown and not missing:
        raise ValueError(f"{name} has {found[0]}.{_WITHOUT_OTHERS}")
    raise ValueError(
        f"{name} has {' and '.join(found) or 'two columns of one name'}. Name the columns by the classes, "
        f"{listed(wanted, 80)}, or pass an array with columns in this order."
    )


def warn_where_seen(pred_probs: NDArray[np.float64], labels: NDArray[np.int64]) -> None:
    """Warn where a model seems to have been trained on the labels that it is to judge."""
    accuracy, sure = float((pred_probs.argmax(1) == labels).mean()), float(pred_probs.max(1).mean())
    if accuracy > SEEN and sure > SURE:
        warn(
            f"pred_probs agree with {accuracy:.1%} of the labels, and are sure of it ({sure:.1%} on average), as those "
            "of a model are that was trained on them: it says of wrong labels what it learned. Pass probabilities out "
            "of fold, such as cross_val_predict(model, X, y, method='predict_proba')."
        )


def warn_where_misplaced(pred_probs: NDArray[np.float64], labels: NDArray[np.int64], classes: Array) -> None:
    """Warn where columns seem to be in another order than the classes, or rows in another than the labels."""
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    np.add.at(counts, (labels, pred_probs.argmax(1)), 1)
    same, other = np.diag(counts), counts[linear_sum_assignment(counts, maximize=True)]
    moved = same != other
    if other[moved].sum() > max(2 * same[moved].sum(), counts[moved].sum() / 2):
        warn(
            f"pred_probs agree with {same.sum() / len(labels):.1%} of the labels, and with "
            f"{other.sum() / len(labels):.1%} were their columns in another order. Order them as the sorted classes, "
            f"{listed(classes.tolist(), 80)}, or pass a table with columns named by these."
        )
        return
    # of labels in a random order the sum is 0, and its variance this
    shares, said = np.bincount(labels, minlength=len(classes)) / len(labels), pred_probs.mean(0)
    known = float((pred_probs[np.arange(len(labels)), labels] - said[labels]).sum())
    variances = np.einsum("ij,ij->j", pred_probs, pred_probs) / len(labels) - said**2
    if known <= 2 * np.sqrt(len(labels) * max(0.0, shares @ variances)):
        warn(
            "pred_probs say hardly more of the labels than of labels in a random order. Pass a row for each sample, in "
            "the order of the samples, of a model that tells the classes apart."
        )
