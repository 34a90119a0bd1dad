"""What a training is told: the epochs that are scored."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from curvdetect.training.settings import SCORED, scored_epochs


@given(n_epochs=st.integers(1, 500), every=st.integers(1, 600), learned=st.sampled_from(sorted(SCORED)))
def test_a_distance_is_counted_back_from_the_last_epoch(n_epochs, every, learned):
    expected = {e for e in range(1, n_epochs + 1) if (n_epochs - e) % every == 0}
    assert scored_epochs(n_epochs, every, learned) == expected


@given(n_epochs=st.integers(1, 2000), learned=st.sampled_from(sorted(SCORED)))
def test_auto_takes_a_share_within_bounds_while_labels_are_learned(n_epochs, learned):
    epochs = sorted(scored_epochs(n_epochs, "auto", learned))
    share, fewest, most, _, end = SCORED[learned]
    wanted = min(n_epochs, most, max(fewest, round(share * n_epochs)))
    # rounding may join neighbours: one epoch more is possible, fewer are not
    assert wanted <= len(epochs) <= wanted + 1
    assert epochs[0] >= 1
    assert epochs[-1] <= max(round(end * n_epochs), epochs[0] + wanted - 1) <= n_epochs
