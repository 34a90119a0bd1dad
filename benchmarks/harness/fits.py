"""The trainings that all methods of a table are read off, each done once and, where asked, kept for later."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from curvdetect import ConfidentLearningDetector, CurvatureNoiseDetector, CurvSSFT, FusedDetector, PatchFeatures
from curvdetect.signals.registry import SIGNALS, recorded

from .quiet import quietly

FOLDS = 5
REPEATS = 2
#: Filters of the patches that cleanlab's logistic regression sees, as many as `FusedDetector` takes.
FILTERS = 200
#: Inverses of the penalty of that regression: scikit-learn's default, and one that suits thousands of columns.
PENALTIES = (1.0, 0.001)
#: What is recorded beside the signals of every run; the contrast of the gradient takes passes of its own.
EXTRAS = tuple(name for name in recorded("asked") if name != "gradient_contrast")


@dataclass
class Fit:
    """What one fitted detector says of the samples, and what it took."""

    signals: dict[str, np.ndarray]
    seconds: dict[str, float]
    wall: float
    train_accuracy: float | None
    n_probes: int
    augmented: bool = False


def caption(name: str) -> str:
    """Return what tables call a signal."""
    signal = SIGNALS[name]
    return signal.caption[0].upper() + signal.caption[1:] + f" ({signal.known_as})" * bool(signal.known_as)


def detectors(
    nets: Any, settings: dict[str, Any], seed: int, *, contrast: bool, witnesses: bool = False
) -> dict[str, Any]:
    """Return the unfitted detector behind each kind of training.

    ``contrast`` measures the curvature's contrast beside it, in the same pass; ``witnesses`` adds to the one run what
    says of labels without a training.
    """
    common = {"max_epochs": settings["epochs"], "device": settings["device"], "random_state": seed}
    probing = {name: settings[name] for name in ("h", "n", "power", "every")}
    curvature = probing | {"contrast": contrast}
    extras = (*EXTRAS, "gradient_contrast") if contrast else EXTRAS
    # the signals beside do not change what is fused, and make the training as long as that of the other detector
    beside = (*extras, "curvature_contrast" if contrast else "curvature")
    return {
        "one run": FusedDetector(nets.main, beside=beside, **probing, **common)
        if witnesses
        else CurvatureNoiseDetector(nets.main, signals=extras, **curvature, **common),
        "two runs": FusedDetector(nets.main, signals=["loss"], n_repeats=REPEATS, **common),
        "second split": CurvSSFT(nets.second_split, share_training=True, **nets.stages, **curvature, **common),
        "cross-validation": ConfidentLearningDetector(nets.main, cv=FOLDS, **common),
        "regression": LogisticFolds(random_state=seed),
    }


class LogisticFolds(ConfidentLearningDetector):
    """cleanlab with what a network does not know: out-of-fold probabilities of a logistic regression."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> LogisticFolds:
        """Fit on patches of pictures, as `FusedDetector` does, of colour mirrored ones, or on the columns of rows."""
        started = time.perf_counter()
        if X.ndim == 4:
            X = PatchFeatures(
                n_filters=FILTERS, mirrored=X.shape[1] == 3, random_state=self.random_state
            ).fit_transform(X)
        folds, found = StratifiedKFold(FOLDS, shuffle=True, random_state=self.random_state), {}
        for C in PENALTIES:
            model = make_pipeline(StandardScaler(), LogisticRegression(C=C))
            probabilities = cross_val_predict(model, X, y, cv=folds, method="predict_proba")
            super().fit(X, y, pred_probs=probabilities)
            found[f"regression/{C:g}"] = self.signal_scores_["self_confidence"]
        self.signal_scores_ = found
        self.seconds_ = {"regression": time.perf_counter() - started}
        return self


def fitted(detector: Any, X: np.ndarray, labels: np.ndarray, kept: Path | None) -> Fit:
    """Fit a detector, or read what an earlier call left in ``kept``."""
    if kept is not None and kept.exists():
        return read(kept)
    started = time.perf_counter()
    with quietly():
        detector.fit(X, labels)
    seconds = getattr(detector, "seconds_", {})
    fit = Fit(
        {**detector.signal_scores_, "own": detector.scores_},
        seconds,
        # of one that was taken up, those of its parts before too
        max(time.perf_counter() - started, sum(seconds.values())),
        getattr(detector, "train_accuracy_", None),
        getattr(detector, "n", 0),
        bool(getattr(detector.net, "iterator_train__augment", False)),
    )
    if kept is not None:
        write(fit, kept)
    return fit


def write(fit: Fit, path: Path) -> None:
    """Keep a fit, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rest = {name: value for name, value in asdict(fit).items() if name != "signals"}
    torn = path.with_suffix(".part.npz")
    np.savez_compressed(torn, __rest__=json.dumps(rest), **fit.signals)
    torn.replace(path)


def read(path: Path) -> Fit:
    """Return a fit that was kept."""
    with np.load(path) as file:
        signals = {name: file[name] for name in file.files if name != "__rest__"}
        return Fit(signals, **json.loads(str(file["__rest__"])))


def name_of(depends: list[Any]) -> str:
    """Return a file name that is another for each value of what a fit depends on."""
    return hashlib.sha256(json.dumps(depends, default=str).encode()).hexdigest()[:12]
