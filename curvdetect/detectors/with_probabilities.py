"""What detectors have in common that take probabilities of a model of the user's own."""

from __future__ import annotations

from typing import Self

from numpy.typing import ArrayLike

from curvdetect.detectors.base import BaseNoiseDetector


class TakesProbabilities(BaseNoiseDetector):
    """Detectors whose ``fit`` takes probabilities of a model of the user's own."""

    def fit(self, X: object, y: ArrayLike | None = None, pred_probs: object = None) -> Self:
        """Fit as all detectors do, with what a model of your own says of each sample.

        Parameters
        ----------
        X, y
            As in `BaseNoiseDetector.fit`.
        pred_probs : array-like or DataFrame of shape (n_samples, n_classes), optional
            Probabilities of all classes, by a model that was not trained on the sample: those of scikit-learn's
            ``cross_val_predict(model, X, y, method="predict_proba")``, say. Columns are in the order of the sorted
            classes, or those of a DataFrame have their names.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            As in `BaseNoiseDetector.fit`, and for numbers that are no probabilities, or of other samples or classes.

        Warns
        -----
        UserWarning
            Where the model seems to have been trained on the samples: it then knows their wrong labels, too.
        """
        return self._fit(X, y, pred_probs)
