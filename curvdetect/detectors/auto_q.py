"""What ``q="auto"`` does: plant wrong labels, train once more, and count the wrong ones that were there before.

Planted labels are of use as far as they are like the others, so they follow the confusions among those that the first
training found suspect: uniform noise gets uniform ones, cats called dogs get more of these.
"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln
from sklearn.exceptions import ConvergenceWarning

from curvdetect.data.noise import CorruptedLabels
from curvdetect.data.samples import Samples
from curvdetect.detectors.checks import derived_seed
from curvdetect.detectors.measured import Measured, one_run
from curvdetect.detectors.noise_rate import NoiseRate, noise_rate
from curvdetect.detectors.ranking import n_flagged
from curvdetect.training.settings import Settings

#: Share of the labels that is planted, unless that is less than `AT_LEAST` and than a quarter of them.
SHARE, AT_LEAST = 0.1, 20
#: An interval wider than this is warned of.
VAGUE = 0.25
#: Samples that may be added to each row of confusions; the largest make it even.
ADDED = tuple(2.0**k for k in range(-3, 11))


def find_rate(detector: Any, samples: Samples, measured: Measured, settings: Settings) -> int:
    """Return how many samples to flag; the rate goes among the fitted attributes.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Whose parameters say how to train.
    samples : Samples
        The data.
    measured : Measured
        What the detector's own training found. Gets ``noise_rate_`` and ``noise_rate_interval_``, and the interrupt
        where Ctrl-C or an error ended the second training.
    settings : Settings
        Of the detector's own training.
    """
    found = NoiseRate(np.nan, 0.0, 1.0)
    try:
        if measured.interrupt is None:
            found = _rate(detector, samples, measured, settings)
    except (KeyboardInterrupt, Exception) as error:
        measured.interrupt = error
    if found.high - found.low > VAGUE and measured.interrupt is None:
        warnings.warn(
            f"q='auto': the share of wrong labels is somewhere between {found.low:.1%} and {found.high:.1%}, since "
            f"planted wrong labels score much like the others or are few. {found.rate:.1%} are flagged. Pass q as a "
            "number, or a net whose losses tell them apart.",
            UserWarning,
            stacklevel=3,
        )
    measured.attributes["noise_rate_"] = found.rate
    measured.attributes["noise_rate_interval_"] = (found.low, found.high)
    n_scored = samples.n_scored
    return n_flagged("auto", n_scored) if np.isnan(found.rate) else int(found.rate * n_scored + 0.5)


def _rate(detector: Any, samples: Samples, measured: Measured, settings: Settings) -> NoiseRate:
    """Plant wrong labels, train a net on them, and return the rate among the samples that are scored.

    The loss separates best, whatever is ranked by.
    """
    labels = samples.labels.numpy()
    scored = np.arange(len(labels)) if samples.scored is None else samples.scored.numpy()
    found = measured.only(scored)
    scores = found.signal_scores.get("loss")
    suspects = suspicious(detector._score(found) if scores is None else scores)
    given, other = labels[scored][suspects], found.other[suspects]
    confusions = confused(given, other, len(samples.classes))
    seeds = [derived_seed(settings.seed, 0, part) for part in range(4)]
    planted = CorruptedLabels(labels.copy(), np.zeros(len(labels), dtype=np.bool_))
    # for themselves, so that some are planted among however few are scored
    for rows, own_seed in ((scored, seeds[0]), (np.setdiff1d(np.arange(len(labels)), scored), seeds[3])):
        if len(rows):
            some = plant(labels[rows], confusions, n_planted(len(rows)), seed=own_seed)
            planted.labels[rows], planted.mask[rows] = some
    twin = replace(samples, labels=torch.from_numpy(planted.labels))
    with warnings.catch_warnings():
        # the first training, of the same length, has said it already
        warnings.simplefilter("ignore", ConvergenceWarning)
        again = one_run(
            twin,
            [],
            replace(
                settings,
                seed=seeds[1],
                patience=1,
                every="auto",
                progress=settings.progress and "planted labels",
                checkpoints=settings.checkpoints.part("planted"),
                keep_snapshots=0,
            ),
        )
    if again.interrupt is not None:
        raise again.interrupt
    healed = float(confusions[given, other].mean())
    return noise_rate(again.signal_scores["loss"][scored], planted.mask[scored], healed=healed, seed=seeds[2])


def n_planted(n_samples: int) -> int:
    """Return how many labels to plant among so many samples."""
    return max(1, int(SHARE * n_samples + 0.5), min(AT_LEAST, n_samples // 4))


def suspicious(scores: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the upper of the two groups that scores fall into with the least variance within (Otsu's method).

    It is a rough guess, good enough for what is confused with what, and never empty.
    """
    ordered = np.sort(scores)
    size = np.arange(1, len(ordered))
    lower = ordered.cumsum()[:-1] / size
    upper = (ordered.sum() - lower * size) / size[::-1]
    cut = np.argmax(size * size[::-1] * (upper - lower) ** 2)
    return scores >= ordered[cut + 1]


def confused(given: NDArray[np.int64], other: NDArray[np.int64], n_classes: int) -> NDArray[np.float64]:
    """Return how often samples of each class were given each other label: rows sum to 1, the diagonal is zero.

    Rows are drawn towards even ones, the more so the more they look like draws from such: each gets as many samples
    more, spread evenly, as make the table most likely (the concentration of a Dirichlet-multinomial distribution).

    Parameters
    ----------
    given, other : array of shape (n_suspects,)
        Codes of the given labels, and of those that would be right.
    n_classes : int
        Number of classes.
    """
    table = np.zeros((n_classes, n_classes))
    np.add.at(table, (other, given), 1)
    off = ~np.eye(n_classes, dtype=np.bool_)
    added = max(ADDED, key=lambda total: _log_likelihood(table[off].reshape(n_classes, -1), total))
    table[off] += added / (n_classes - 1)
    return table / table.sum(1, keepdims=True)


def _log_likelihood(table: NDArray[np.float64], total: float) -> float:
    """Return that of rows of counts under an even Dirichlet-multinomial distribution, but for a constant."""
    each = total / table.shape[1]
    rows = (gammaln(total) - gammaln(total + table.sum(1))).sum()
    return float(rows + (gammaln(each + table) - gammaln(each)).sum())


def plant(labels: NDArray[np.int64], confusions: NDArray[np.float64], n: int, *, seed: int) -> CorruptedLabels:
    """Return labels of which exactly ``n`` were changed, spread over the classes by their size.

    Parameters
    ----------
    labels : array of shape (n_samples,)
        Codes of the labels as given. Not changed.
    confusions : array of shape (n_classes, n_classes)
        From the given label to what becomes of it; zero on the diagonal.
    n : int
        How many, at most n_samples.
    seed : int
        Which, and what they become.
    """
    rng = np.random.default_rng(seed)
    by_class = np.lexsort((rng.random(len(labels)), labels))
    places = by_class[((np.arange(n) + rng.random()) * len(labels) / n).astype(np.int64)]
    changed, mask = labels.copy(), np.zeros(len(labels), dtype=np.bool_)
    reached = confusions[labels[places]].cumsum(1)
    # the last label may be reached a rounding error below 1
    changed[places] = (rng.random((n, 1)) * reached[:, -1:] >= reached).sum(1)
    mask[places] = True
    return CorruptedLabels(changed, mask)
