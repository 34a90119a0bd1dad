"""What the course of a training says about it once it is over: memorized, not memorized, at once, or fallen apart."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from curvdetect.data.sources import Samples

#: Training accuracy below which memorization is called not reached.
MEMORIZED = 0.99
#: What the training accuracy may lose from its highest epoch to the end.
FALL = 0.02
#: The same where late epochs are no longer listened to, or the end was not planned: a constant rate makes it waver.
APART = 0.1
#: Share of the planned epochs within which memorizing counts as at once.
AT_ONCE = 0.1


def fell_after(history: Sequence[dict[str, Any]], fall: float = FALL) -> int | None:
    """Return the epoch, counted from 1, from whose training accuracy the training fell; None where it did not.

    Parameters
    ----------
    history : sequence of dict
        One record for each epoch.
    fall : float, default=0.02
        What the accuracy may lose.
    """
    accuracies = [record["train_accuracy"] for record in history]
    if not accuracies or accuracies[-1] >= max(accuracies) - fall:
        return None
    return accuracies.index(max(accuracies)) + 1


def memorized_at_once(history: Sequence[dict[str, Any]], n_epochs: int) -> bool:
    """Say whether the labels were memorized within the first tenth of the planned epochs."""
    first = history[: max(1, round(AT_ONCE * n_epochs))]
    return any(record["train_accuracy"] >= MEMORIZED for record in first)


def judge(
    history: Sequence[dict[str, Any]],
    accuracy: float,
    samples: Samples,
    n_epochs: int,
    *,
    level: int,
    planned: bool = True,
) -> None:
    """Warn where the course of a training says that its signals tell little.

    Parameters
    ----------
    history : sequence of dict
        One record for each epoch.
    accuracy : float
        Training accuracy of the trained net.
    samples : Samples
        What was trained on.
    n_epochs : int
        Planned length of the training.
    level : int
        ``stacklevel`` of the user's line, seen from the caller.
    planned : bool, default=True
        Whether the end was that of the plan. Of any other, only a fall is said, and only a deep one.
    """
    peak = fell_after(history, FALL if planned else APART)
    if peak is not None:
        _say(
            f"the training fell apart: its accuracy rose to {_accuracy(history, peak):.2f} in epoch {peak} and was "
            f"{_accuracy(history, 0):.2f} in the last. The steps are too large: lower the learning rate (net__lr, a "
            "third of it), or bound the gradients by net=memorizing_net(module, for_tables=True). What was measured "
            "after the fall tells little.",
            level,
        )
    elif not planned:
        return
    elif accuracy < MEMORIZED:
        said = min(accuracy, MEMORIZED - 1e-4)  # what falls short by less is not rounded to the aim
        _say(
            f"the net did not memorize the labels: training accuracy {said:.4f} after {len(history)} epochs, below "
            f"{MEMORIZED}. The loss ranks well all the same; curvature, and copies under two labels, show best once "
            "wrong labels have been learned too: raise max_epochs, or take a larger net.",
            level,
        )
    elif len(samples.shape) == 1 and samples.shape[0] > len(samples) and memorized_at_once(history, n_epochs):
        _say(
            f"the net memorized the labels at once: X has {samples.shape[0]} columns and {len(samples)} rows, so that "
            "wrong labels are learned as fast as right ones, and the ranking tells little. Take "
            "ConfidentLearningDetector, whose nets have not seen the label that they judge, or fewer columns: "
            "scikit-learn's SelectKBest in a pipeline before the detector.",
            level,
        )


def _accuracy(history: Sequence[dict[str, Any]], epoch: int) -> float:
    return float(history[epoch - 1]["train_accuracy"])


def _say(text: str, level: int) -> None:
    warnings.warn(text, ConvergenceWarning, stacklevel=level + 2)
