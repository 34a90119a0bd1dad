"""Which of many samples are looked at."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect.data.choosing import drawn, spread


@pytest.mark.parametrize(("n_samples", "most"), [(1, 16), (2, 16), (16, 16), (17, 16), (1000, 16), (1000, 1)])
def test_positions_are_spread_from_the_first_to_the_last(n_samples, most):
    found = spread(n_samples, most).tolist()
    assert len(set(found)) == len(found) == min(n_samples, most)
    assert found == sorted(found)
    assert (found[0], found[-1]) == (0, n_samples - 1 if most > 1 else 0)


def test_no_position_lies_beyond_the_samples_however_many_there_are():
    n_samples = 2**24 + 4  # whose last position single precision rounds up
    assert spread(n_samples, 16)[-1] == n_samples - 1


def test_a_random_choice_is_the_same_in_every_call_and_nothing_where_it_is_all():
    found = drawn(100, 30)
    np.testing.assert_array_equal(found, drawn(100, 30))
    assert found.tolist() == sorted(set(found.tolist()))
    assert (len(found), found[-1] > 50) == (30, True)
    assert drawn(30, 30) is drawn(30, None) is None
