"""Series as aeon and sktime hold them."""

from __future__ import annotations

import numpy as np
import pytest

from curvdetect import LeaveOneOutDetector, LossDetector, corrupt_labels

N = 90
RNG = np.random.default_rng(0)
TRUE = np.arange(N) % 3
TIME = np.linspace(0, 6, 60)
# (series, channels, length): classes differ by frequency, series by phase
SERIES = np.stack(
    [
        [np.sin((2 + 2 * c) * TIME + phase) + 0.3 * RNG.normal(size=60) for _ in range(2)]
        for c, phase in zip(TRUE, RNG.uniform(0, 6, N), strict=True)
    ]
).astype(np.float32)
LABELS, MASK = corrupt_labels(TRUE, 0.1, random_state=0)


def fitted(samples, **options):
    return LeaveOneOutDetector(q=int(MASK.sum()), device="cpu", random_state=0, **options).fit(samples, LABELS)


@pytest.mark.meets("aeon")
def test_collections_of_aeon_go_through_its_transformers():
    """An aeon collection (series, channels, length) with `features=MiniRocket()`: planted labels are ranked first.

    The default net is for pictures and refuses series with what to pass.
    """
    rocket = pytest.importorskip("aeon.transformations.collection.convolution_based").MiniRocket(500, random_state=0)
    detector = fitted(SERIES, features=rocket)
    assert MASK[detector.labels_ == 1].mean() > 0.8
    long = np.repeat(SERIES, 20, axis=2)
    with pytest.raises(ValueError, match=r"look like series.*MiniRocket"):
        LossDetector(device="cpu", max_epochs=1).fit(long, LABELS)


@pytest.mark.meets("sktime")
def test_frames_of_sktime_become_arrays_of_the_same_order():
    """A frame of two levels as sktime holds panels: `convert_to(frame, "numpy3D")` gets the scores of the array.

    The frame itself has a row for each point in time: it is refused with both numbers of rows.
    """
    datatypes = pytest.importorskip("sktime.datatypes")
    frame = datatypes.convert_to(SERIES, "pd-multiindex")
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[5400, 90\]"):
        fitted(frame)
    panel = datatypes.convert_to(frame, "numpy3D").astype(np.float32)
    assert np.array_equal(fitted(panel).scores_, fitted(SERIES).scores_)
