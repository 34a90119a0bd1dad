"""What goes into the page on which a person looks at suspects: one HTML file that needs nothing else.

Names, labels and paths are data here as well as there: they travel as JSON and are shown as text, so that nothing in
them can run. How the page looks and behaves is in ``page/``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata
from sklearn.utils.validation import check_is_fitted

from curvdetect.data.sources import Samples
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.checks import is_count
from curvdetect.review.look_alikes import look_alikes
from curvdetect.review.looks import Shown, fitted_as, looks, shown_as
from curvdetect.review.rendering import rendered
from curvdetect.review.texts import label_texts
from curvdetect.training.checkpoints import write_whole
from curvdetect.training.ranks import writes_here

#: Flagged samples shown where nobody says how many.
SHOWN = 1_000


def write_report(
    detector: BaseNoiseDetector,
    X: Any,
    path: str | os.PathLike[str],
    *,
    X_display: Any = None,
    paths: Sequence[Any] | None = None,
    k: int | None = None,
    title: str | None = None,
    note: str | None = None,
) -> Path:
    """Write a page for looking at suspects: one HTML file that works offline.

    It shows the suspects with given and suggested label, score, signals and look-alikes; filters, sorts and zooms; and
    takes verdicts by mouse, touch or keyboard, which it exports as a CSV file for `apply_verdicts`.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted.
    X : array, tensor, DataFrame or map-style Dataset, n_samples long
        What it was fitted on: the network finds the look-alikes in it.
    path : str or Path
        The file; missing folders are made. What was there is replaced in one step.
    X_display : array, DataFrame, list of str or map-style Dataset, n_samples long, optional
        The same samples as a person would look at them, in the same order, where that isn't ``X``: the table before it
        was scaled and encoded, the texts or pictures behind embeddings. Pictures are (n_samples, height, width),
        (n_samples, channels, height, width) or have the channels last, uint8 or float; a DataFrame is shown with its
        words, dates and gaps.
    paths : sequence of length n_samples, optional
        Where each sample comes from, shown as text.
    k : int, optional
        How many suspects, worst first; by default those that are flagged, at most 1,000.
    title : str, optional
        By default the number of suspects.
    note : str, optional
        A line below the title, such as which files are missing among the samples.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        For anything but a detector.
    ValueError
        Where ``X``, ``X_display`` or ``paths`` are not as long as the training data.

    See Also
    --------
    apply_verdicts : Turns what was exported into cleaned labels.

    Notes
    -----
    Pictures are scaled down to thumbnails, the more the more there are: 1,000 suspects in colour of 32 x 32 pixels,
    with their look-alikes, take some 7 MB, and so do 10,000. Floats outside [0, 1] are scaled together. Look-alikes
    are the nearest samples that aren't flagged in what the network makes of ``X`` before its last layer, which costs a
    forward pass over the data; without ``net_``, or where ``X`` isn't what was fitted, there are none. Of several
    processes that train together the first one writes, and the others return at once.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import LossDetector, write_report
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = LossDetector(max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_report(detector, X, f"{folder}/suspects.html").name
    'suspects.html'
    """
    _check_detector(detector)
    if k is not None and not is_count(k):
        raise ValueError(f"k must be None or a whole number of suspects, at least 1, got {k!r}.")
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder. Pass the name of a file, such as 'suspects.html'.")
    shown = shown_as(X) if X_display is None else shown_as(X_display, "X_display")
    samples = shown if X_display is None and isinstance(shown, Samples) else fitted_as(X)
    n_samples = len(detector.scores_)
    for name, given in {"X": X if samples is None else samples, "X_display": shown, "paths": paths}.items():
        length = n_samples if given is None else len(given)
        if length != n_samples:
            raise ValueError(
                f"{name} has {length} entries, but the detector was fitted on {n_samples} samples. Pass one for each, "
                "in the same order."
            )
    if not writes_here():
        return target
    index = detector.ranking_[: min(int(detector.labels_.sum()), SHOWN) if k is None else k]
    content = _content(detector, samples, index, shown)
    if paths is not None:
        content["suspects"]["path"] = [os.fsdecode(p) if isinstance(p, bytes) else str(p) for p in _at(paths, index)]
    content["title"] = f"{len(index):,} suspects of {n_samples:,}" if title is None else str(title)
    content["detector"] = type(detector).__name__
    if note is not None:
        content["note"] = str(note)
    write_whole(target, rendered(content))
    return target


def _check_detector(detector: Any) -> None:
    if not isinstance(detector, BaseNoiseDetector):
        raise TypeError(
            f"write_report needs a detector, got {type(detector).__name__}. Of a search pass best_estimator_, of a "
            "pipeline the last step."
        )
    check_is_fitted(detector, "scores_")


def _at(values: Sequence[Any], index: NDArray[np.int64]) -> list[Any]:
    get = values.iloc if hasattr(values, "iloc") else values
    return [get[int(i)] for i in index]


def _content(
    detector: BaseNoiseDetector, samples: Samples | None, index: NDArray[np.int64], shown: Shown
) -> dict[str, Any]:
    """Return what the page is told, in columns: one entry for each suspect."""
    suggested = np.searchsorted(detector.classes_, detector.suggested_labels_)
    alike = {} if samples is None else look_alikes(detector, samples, index, suggested)
    others = np.setdiff1d(np.concatenate([np.empty(0, dtype=int), *(found.ravel() for found in alike.values())]), index)
    return {
        "id": _identity(detector),
        "n_samples": len(detector.scores_),
        "classes": label_texts(detector.classes_),
        "signals": list(detector.signal_scores_),
        "suspects": {
            "index": index.tolist(),
            "score": detector.scores_[index].tolist(),
            "given": detector._given[index].tolist(),
            "suggested": suggested[index].tolist(),
            "shares": [_share(scores)[index].tolist() for scores in detector.signal_scores_.values()],
            **{name: [[i for i in row if i >= 0] for row in found.tolist()] for name, found in alike.items()},
        },
        **looks(shown, index, others[others >= 0]),
    }


def _identity(detector: BaseNoiseDetector) -> str:
    """Return a name for the labelled data: verdicts on it outlive another training and another page."""
    given = np.ascontiguousarray(detector._given, dtype="<i8")
    classes = "\0".join(label_texts(detector.classes_)).encode("utf-8", "surrogatepass")
    return blake2b(given.tobytes() + classes, digest_size=12).hexdigest()


def _share(scores: ArrayLike) -> NDArray[Any]:
    """Return the share of samples that a signal finds at most as suspect; None where it is no number."""
    scores = np.asarray(scores, dtype=np.float64)
    known = ~np.isnan(scores)
    share = np.full(len(scores), None, dtype=object)
    share[known] = np.round(rankdata(scores[known]) / max(1, known.sum()), 6)
    return share
