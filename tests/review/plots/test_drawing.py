"""What all displays share."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect.review.plots.drawing import COLOURS, STYLES, as_labels, is_spread, shortened, style

SPREADS = {
    "one long tail": ([1.0, 1.0, 30.0], True),
    "a short one": ([1.0, 1.0, 3.0], False),
    "zero has no logarithm": ([0.0, 1.0, 30.0], False),
    "nothing": ([], False),
}


@pytest.mark.parametrize(("values", "expected"), SPREADS.values(), ids=SPREADS)
def test_positive_numbers_with_a_long_tail_ask_for_a_logarithm(values, expected):
    assert is_spread(np.array(values), 20) is expected


def test_more_curves_than_colours_start_again_and_neighbours_differ_in_both():
    looks = [style(i) for i in range(len(COLOURS) + 1)]
    assert looks[0] == looks[-1]
    assert len({look["color"] for look in looks}) == len(COLOURS)
    assert len({look["linestyle"] for look in looks}) == len(STYLES)


def test_labels_of_another_length_are_refused():
    with pytest.raises(ValueError, match="given must have one entry for each of 3 samples"):
        as_labels(["a", "b"], "given", 3)
    with pytest.raises(ValueError, match="given must have one entry for each sample"):
        as_labels("cat", "given")


TICKS = {
    "number": (7, "7"),
    "bytes": (b"cat", "cat"),
    "formula": ("a$x_1$", r"a\$x_1\$"),
    "lines": ("two\nlines", "two lines"),
    "long": ("a" * 30, "a" * 17 + "…"),
}


@pytest.mark.parametrize(("label", "text"), TICKS.values(), ids=TICKS)
def test_ticks_hold_any_label(label, text):
    assert shortened(label) == text
