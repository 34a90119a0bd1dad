"""Detectors that train no network: the label of each sample is judged by what was fitted without it."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from curvdetect.data.devices import resolve_device
from curvdetect.data.labels import codes_of_groups
from curvdetect.data.samples import Samples
from curvdetect.data.wording import brief
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.measured import Measured
from curvdetect.detectors.parameters import with_parameters
from curvdetect.detectors.trees import Forest
from curvdetect.detectors.witnesses import Ridge, Witness, judged
from curvdetect.training.settings import Settings


@with_parameters
class _LeftOut(BaseNoiseDetector):
    """Detectors whose score is minus the log-probability of the given label with its sample left out.

    Attributes
    ----------
    pred_probs_ : array of shape (n_samples, n_classes)
        Probabilities of all classes with the sample left out, as cleanlab takes them.
    suggested_labels_ : array of shape (n_samples,)
        Most probable label other than the given one.
    """

    _signal: ClassVar[str]

    @abstractmethod
    def _witness(self, samples: Samples, settings: Settings) -> Witness:
        """Return what is fitted."""

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        witness = self._witness(samples, settings)
        score, other = judged(witness.left_out, samples.labels.numpy())
        found = {"pred_probs_": np.exp(witness.left_out), "device_": str(settings.device), "_fitted": witness}
        return Measured({self._signal: score}, other, found, left_out=witness.left_out)

    def _measure_unseen(self, samples: Samples) -> Measured:
        if not hasattr(self, "_fitted"):
            taken = getattr(self, "features_", "the forest")
            raise ValueError(
                f"samples that were not fitted need what this detector was fitted with ({taken}), which its saved "
                "files do not hold: fit again, or keep the detector by joblib.dump."
            )
        score, other = judged(self._fitted.says(samples, resolve_device(self.device)), samples.labels.numpy())
        return Measured({self._signal: score}, other, {})

    def _score(self, measured: Measured) -> NDArray[np.float64]:
        return measured.signal_scores[self._signal]


@with_parameters
class LeaveOneOutDetector(_LeftOut):
    """Rank samples by what all others say of their label, exactly and in closed form; higher is more suspect.

    A ridge regression on features predicts the one-hot labels. One factorization gives its prediction for each sample
    as if it had been fitted without it. Penalty, temperature, and a factor and an offset for each class are those by
    which the labels left out are most likely. No network is trained.

    Parameters
    ----------
    features : "auto", "linear" or transformer, default="auto"
        What the regression sees. "linear" takes the numbers of ``X``, each column by its own standard deviation: for
        embeddings. A transformer of scikit-learn is fitted as a copy; `save` can't hold it, unless it is
        `PatchFeatures`. "auto" takes patches for pictures, mirrored or not, and for rows the numbers themselves, their
        square roots where none is negative, or radial basis functions of three widths (scikit-learn's ``Nystroem``):
        those whose left-out likelihood is highest. Widths and mirroring are chosen on 600 samples.
    groups : array-like of shape (n_samples,), optional
        Samples that belong together, such as frames of a film or copies of a picture. All of a group are left out
        together, since a twin with the same wrong label gives it away as right.

    Attributes
    ----------
    features_ : str
        What was taken.
    penalty_, temperature_ : float
        Of the ridge regression on standardized features, and of the softmax of its outputs, beside which each class
        has a factor and an offset of its own.
    likelihood_ : float
        Mean log-probability of the given labels left out. ``-log(n_classes)`` says that the features tell nothing.
    memorization_ : array of shape (n_samples,)
        How far the probability of the given label falls when the sample is left out: memorization as Feldman and Zhang
        define it, of this regression.

    See Also
    --------
    FusedDetector : This beside the training of a network.

    Notes
    -----
    Costs N d min(N, d) operations for N samples of d features, and memory of min(N, d)**2 beside them. A sample that is
    wrong in the same way as many others, by a systematic error, is not found; nor is a copy, but by ``groups``.

    References
    ----------
    .. [1] Allen, "The Relationship Between Variable Selection and Data Augmentation and a Method for Prediction",
       Technometrics 1974.
    .. [2] Feldman, Zhang, "What Neural Networks Memorize and Why", NeurIPS 2020.
    .. [3] Guo and others, "On Calibration of Modern Neural Networks", ICML 2017 (vector scaling).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from curvdetect import LeaveOneOutDetector, corrupt_labels
    >>> X, y = load_digits(return_X_y=True)
    >>> labels, mask = corrupt_labels(y, rate=0.1, random_state=0)
    >>> detector = LeaveOneOutDetector(device="cpu", random_state=0).fit(X, labels)
    >>> bool(detector.score(noise_mask=mask) > 0.99)
    True
    """

    features: Any = "auto"
    groups: ArrayLike | None = None

    _signal = "leave_one_out"

    def _witness(self, samples: Samples, settings: Settings) -> Ridge:
        features = self.features
        named = isinstance(features, str) and features in ("auto", "linear")
        # it is cloned
        made = hasattr(features, "transform") and hasattr(features, "get_params") and not isinstance(features, type)
        if not (named or made):
            raise ValueError(
                "features must be 'auto', 'linear' or a transformer as scikit-learn has them (fit, transform and "
                f"get_params), got {brief(features)}."
            )
        return Ridge(samples, features, self._codes_of_groups(len(samples)), settings.device, settings.seed)

    def _codes_of_groups(self, n_samples: int) -> NDArray[np.int64] | None:
        if self.groups is None:
            return None
        codes, found = codes_of_groups(self.groups, n_samples)
        if len(found) == 1:
            raise ValueError("groups holds one group only, and nothing is left where it is left out.")
        return codes

    def _measure(self, samples: Samples, settings: Settings) -> Measured:
        measured = super()._measure(samples, settings)
        ridge = measured.attributes["_fitted"]
        measured.attributes |= {
            "features_": ridge.kind,
            "penalty_": ridge.choice.penalty,
            "temperature_": ridge.choice.temperature,
            "likelihood_": ridge.choice.likelihood,
            "memorization_": ridge.memorization,
        }
        return measured


@with_parameters
class OutOfBagDetector(_LeftOut):
    """Rank samples by what the trees of a forest that have not seen them say; higher is more suspect.

    A forest of 150 extremely randomized trees is fitted once, to bootstrap samples and to the ranks within each
    column, so that no increasing function of a column changes a score. Each sample is left out of a third of the trees
    or more, whose votes become probabilities by a factor and an offset for each class. For rows of numbers; no network
    is trained.

    Notes
    -----
    Costs 150 trees, quicker to grow than a random forest's; the five folds of cleanlab's way with
    scikit-learn's default forest cost 500 of those. Of many rows, each tree sees some: 72,000 over the root of the
    number of columns, or 2,000 where these are more.

    References
    ----------
    .. [1] Breiman, "Random Forests", Machine Learning 2001.
    .. [2] Geurts, Ernst, Wehenkel, "Extremely Randomized Trees", Machine Learning 2006.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from curvdetect import OutOfBagDetector
    >>> X, y = load_iris(return_X_y=True)
    >>> OutOfBagDetector(device="cpu", random_state=0).fit(X, y).pred_probs_.shape
    (150, 3)
    """

    _signal = "out_of_bag"

    def _witness(self, samples: Samples, settings: Settings) -> Forest:
        return Forest(samples, settings.seed)
