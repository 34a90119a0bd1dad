"""What a training is told: the epochs that are scored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curvdetect.training.settings import FEWEST, MOST, scored_epochs


@given(n_epochs=st.integers(1, 500), every=st.integers(1, 600))
def test_a_distance_is_counted_back_from_the_last_epoch(n_epochs, every):
    assert scored_epochs(n_epochs, every) == {e for e in range(1, n_epochs + 1) if (n_epochs - e) % every == 0}


@given(n_epochs=st.integers(1, 2000))
def test_auto_takes_a_quarter_within_bounds_and_ends_with_the_last(n_epochs):
    epochs = sorted(scored_epochs(n_epochs, "auto"))
    assert (epochs[0], epochs[-1]) == (1, n_epochs)
    wanted = min(n_epochs, MOST, max(FEWEST, round(n_epochs / 4)))
    # rounding may join neighbours: one epoch more is possible, fewer are not
    assert wanted <= len(epochs) <= wanted + 1
