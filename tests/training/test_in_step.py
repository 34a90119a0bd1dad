"""What a net brings along that shares work out, or places it, by itself; several processes are in test_ranks."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from curvdetect import LossDetector
from tests.cases import noisy_digits
from tests.training.together import COMMON, Accelerated, skorch_net

X, LABELS, *_ = noisy_digits(40)


def accelerated(placing):
    """Return a net whose accelerator places what it is given, or does not."""
    net = Accelerated(**skorch_net(max_epochs=2).get_params(deep=False))
    net.accelerator = SimpleNamespace(device_placement=placing)
    return net


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_an_accelerator_that_places_nothing_changes_nothing():
    found, expected = (
        LossDetector(net, **COMMON).fit(X, LABELS) for net in (accelerated(False), skorch_net(max_epochs=2))
    )
    np.testing.assert_array_equal(found.scores_, expected.scores_)


def test_an_accelerator_that_chooses_the_device_is_refused():
    with pytest.raises(ValueError, match=r"whose accelerator chooses the device.*device_placement=False"):
        LossDetector(accelerated(True), **COMMON).fit(X, LABELS)
