"""Outputs of a regression as probabilities: a temperature, and for each class a factor and an offset of its own.

A regression on one-hot labels gives classes that are hard to tell apart, or rare, outputs of another spread. Classes
are not mixed: that would learn which class is often called by which other name, and excuse such labels.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax
from torch import Tensor

#: Weight of each squared logarithm of a factor, and of each squared offset, in log-probabilities of all samples.
PRIOR = 5.0
#: Bounds of the logarithms of factors.
MOST = 3.0


class Calibration(NamedTuple):
    """Factors and offsets of all classes, shape (n_classes,), and the mean log-probability of the labels with them."""

    factors: NDArray[np.float64]
    offsets: NDArray[np.float64]
    likelihood: float


def calibrated(outputs: Tensor, labels: Tensor) -> Calibration:
    """Return by what the outputs of each class are multiplied, and what is added, for the labels to be most likely.

    ``outputs`` has shape (n_samples, n_classes); they are divided by their temperature, and 0 is no evidence.
    """
    z, own = outputs.cpu().numpy(), labels.cpu().numpy()
    rows, (n, k) = np.arange(len(own)), z.shape

    def log_probabilities(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = log_softmax(z * np.exp(parameters[:k]) + parameters[k:], axis=1)
        return found

    def unlikely(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        together = log_probabilities(parameters)
        value = -together[rows, own].mean() + PRIOR / n * float(parameters @ parameters)
        excess = np.exp(together)
        excess[rows, own] -= 1
        slope = np.concatenate([(excess * z).mean(0) * np.exp(parameters[:k]), excess.mean(0)])
        return value, slope + 2 * PRIOR / n * parameters

    bounds = [(-MOST, MOST)] * k + [(None, None)] * k
    found = minimize(unlikely, np.zeros(2 * k), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(np.exp(found[:k]), found[k:], float(log_probabilities(found)[rows, own].mean()))
