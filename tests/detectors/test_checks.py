"""Checks of parameters that all detectors share."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvdetect import CurvatureNoiseDetector
from curvdetect.detectors.checks import derive_seed, is_count
from curvdetect.detectors.parameters import check_parameters
from tests.cases import untouched_rng

COUNTS = [1, 7, np.int64(3), np.uint8(1)]
NO_COUNTS = [0, -1, 1.0, np.float64(2), True, np.True_, "1", None, [1], 1j]


@pytest.mark.parametrize("value", COUNTS, ids=repr)
def test_whole_numbers_from_one_are_counts(value):
    assert is_count(value)


@pytest.mark.parametrize("value", NO_COUNTS, ids=repr)
def test_other_things_are_no_counts(value):
    assert not is_count(value)


GOOD = {
    "every": [*COUNTS, "auto"],
    "max_epochs": [*COUNTS, None],
    "stop_at": [1e-9, 0.5, 1, 1.0, np.float32(0.9), None],
}
BAD = {
    "every": NO_COUNTS,
    "max_epochs": [value for value in NO_COUNTS if value is not None] + ["auto"],
    "stop_at": [0, -0.5, 1.01, 2, "0.9", float("nan"), [0.9], 1j],
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in GOOD for value in GOOD[name]], ids=repr)
def test_parameter_in_range_passes(name, value):
    check_parameters(CurvatureNoiseDetector(**{name: value}))


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in BAD for value in BAD[name]], ids=repr)
def test_parameter_out_of_range_is_named(name, value):
    with pytest.raises(ValueError, match=f"^{name} must be .*got "):
        check_parameters(CurvatureNoiseDetector(**{name: value}))


def test_number_and_generator_of_the_same_state_derive_the_same_seed():
    assert derive_seed(3) == derive_seed(3) == derive_seed(np.random.RandomState(3)) != derive_seed(4)


def test_generator_derives_another_seed_each_time():
    state = np.random.RandomState(3)
    assert derive_seed(state) != derive_seed(state)


def test_none_derives_another_seed_each_time_without_the_global_generator():
    with untouched_rng():
        assert derive_seed(None) != derive_seed(None)


@pytest.mark.parametrize("random_state", [None, 0, 2**32 - 1, np.random.RandomState(0)], ids=str)
def test_seed_is_one_that_every_generator_takes(random_state):
    seed = derive_seed(random_state)
    assert type(seed) is int
    assert 0 <= seed < 2**32
    torch.Generator().manual_seed(seed)
