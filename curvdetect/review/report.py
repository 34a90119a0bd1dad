"""The page on which a person looks at suspects: one HTML file that needs nothing else.

How the page looks and behaves is in ``page/``. Its policy names the style and the script by their hashes, so that a
browser runs and loads nothing else. Names, labels and paths travel as JSON, in which no character that means anything
to HTML is left, and are shown as text, so that nothing in them can run.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from collections.abc import Sequence
from hashlib import blake2b, sha256
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from curvdetect.data.samples import Samples
from curvdetect.data.types import Array, Record
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.parameters import Number, check_value
from curvdetect.review.overview import by_class
from curvdetect.review.results import refuse_other_than_fitted
from curvdetect.review.shown import Shown, display_as, input_of_net, look_alikes, samples_shown, shown_as
from curvdetect.review.texts import label_texts
from curvdetect.training.checkpoints import write_whole
from curvdetect.training.ranks import writes_here

#: Most flagged samples that are shown by default.
SHOWN = 1_000
#: The order counts: at its top, a script may use names of those before it.
SCRIPTS = ("dom", "data", "csv", "verdicts", "choice", "overview", "grid", "parts", "detail", "keys", "main")
PAGE = files("curvdetect.review").joinpath("page")


def write_report(
    detector: BaseNoiseDetector,
    X: object,
    path: str | os.PathLike[str],
    *,
    X_display: object = None,
    paths: Sequence[object] | pd.Series | None = None,
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
        Fitted; anything else raises TypeError.
    X : array, tensor, DataFrame or map-style Dataset, n_samples long
        The training data, in which the net finds the look-alikes. Another length raises ValueError.
    path : str or Path
        The file, replaced in one step where there is one; missing folders are made.
    X_display : array, DataFrame, sequence of str or of PIL pictures, or map-style Dataset, n_samples long, optional
        The same samples as a person would look at them, in the same order, where ``X`` says little: the table before it
        was scaled and encoded, the texts or pictures behind embeddings, the files of pictures that were made small.
        Pictures are (n_samples, height, width), (n_samples, channels, height, width) or have the channels last, uint8
        or float. PIL pictures may differ in size and mode, and only those that are shown are read; a warning names one
        that can't be, and it is shown as missing.
    paths : sequence of length n_samples, optional
        The origin of each sample, shown as text.
    k : int, optional
        Number of suspects, worst first; by default those that are flagged, at most 1,000.
    title : str, optional
        By default the number of suspects.
    note : str, optional
        A line below the title, such as which files are missing among the samples.

    Returns
    -------
    Path
        The file.

    Notes
    -----
    Series, floats of shape (n_samples, channels, length), are drawn as lines, each channel by its own range.

    Pictures have up to 320 pixels a side, fewer where there are more: 1,000 suspects in colour of 32 x 32 pixels, with
    their look-alikes, take some 7 MB, photos some 20 MB, and so do 10,000. Floats outside [0, 1] are scaled together.
    Look-alikes are the nearest samples that aren't flagged, in the inputs of the net's last layer, at the cost of a
    forward pass over the data; without ``net_``, or where ``X`` is other data, there are none. Where several processes
    train together, the first one writes, and the others return at once.

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
    refuse_other_than_fitted(detector, "write_report")
    check_value("k", k, [None, Number("a whole number of suspects, at least 1")])
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(f"path={str(path)!r} is a folder. Pass the name of a file, such as 'suspects.html'.")
    fitted, n_samples = shown_as(X), len(detector.scores_)
    samples, shown = input_of_net(fitted), fitted if X_display is None else display_as(X_display)
    lengths = {"X": len(fitted), "X_display": len(shown), "paths": n_samples if paths is None else len(paths)}
    for name, length in lengths.items():
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
        of = list(paths)
        content["suspects"]["path"] = [os.fsdecode(p) if isinstance(p := of[i], bytes) else str(p) for i in index]
    content["title"] = f"{len(index):,} suspects of {n_samples:,}" if title is None else str(title)
    content["detector"] = type(detector).__name__
    if note is not None:
        content["note"] = str(note)
    write_whole(target, rendered(content))
    return target


def _content(detector: BaseNoiseDetector, samples: Samples | None, index: NDArray[np.int64], shown: Shown) -> Record:
    """Return the data of the page, in columns: one entry for each suspect."""
    suggested = np.searchsorted(detector.classes_, detector.suggested_labels_)
    alike = {} if samples is None else look_alikes(detector, samples, index, suggested)
    others = np.setdiff1d(np.concatenate([np.empty(0, dtype=int), *(found.ravel() for found in alike.values())]), index)
    return {
        "id": _identity(detector),
        "n_samples": len(detector.scores_),
        "classes": label_texts(detector.classes_),
        "by_class": by_class(detector).sort_index()[["samples", "flagged", "low", "high"]].round(6).to_dict("list"),
        "signals": list(detector.signal_scores_),
        "suspects": {
            "index": index.tolist(),
            "score": detector.scores_[index].tolist(),
            "given": fitted_rows(detector).labels[index].tolist(),
            "suggested": suggested[index].tolist(),
            "shares": [_shares(scores)[index].tolist() for scores in detector.signal_scores_.values()],
            **{name: [[i for i in row if i >= 0] for row in found.tolist()] for name, found in alike.items()},
        },
        **samples_shown(shown, index, others[others >= 0]),
    }


def _identity(detector: BaseNoiseDetector) -> str:
    """Return a name for the labelled data, under which verdicts outlive another training and another page."""
    given = np.ascontiguousarray(fitted_rows(detector).labels, dtype="<i8")
    classes = "\0".join(label_texts(detector.classes_)).encode("utf-8", "surrogatepass")
    return blake2b(given.tobytes() + classes, digest_size=12).hexdigest()


def _shares(scores: ArrayLike) -> Array:
    """Return the share of samples with at most this score; None where it is no number."""
    ranks = rankdata(scores, nan_policy="omit")
    known = ~np.isnan(ranks)
    shares = np.round(ranks / max(1, known.sum()), 6).astype(object)
    shares[~known] = None
    return shares


def rendered(content: Record) -> bytes:
    """Return the page that shows this content, under its ``"title"``."""
    style = _read("page.css")
    # one scope of their own: a browser's window is full of names
    script = f'(() => {{\n"use strict";\n{"".join(_read(f"{name}.js") for name in SCRIPTS)}}})();\n'
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'",
        "title": html.escape(content["title"]),
        "style": style,
        "script": script,
        "data": as_json(content),
    }
    # in one go: a part that has been filled in is not searched again
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _read("page.html"))
    # a surrogate that stands alone is no character in a file
    return page.encode("utf-8", "replace")


def as_json(content: object) -> str:
    """Return JSON that can stand in an HTML file: ASCII, without ``<``, ``>`` and ``&``; lone surrogates survive."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return PAGE.joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
