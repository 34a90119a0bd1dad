import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

from curvdetect import LossDetector, SuspectsDisplay

SHAPES = {"gray": (8, 8), "one channel": (1, 8, 8), "three channels": (3, 8, 8)}


def fitted(shape):
    rng = np.random.default_rng(0)
    X, y = rng.random((30, *shape)).astype(np.float32), np.array(["cat", "dog", "fox"] * 10)
    net = nn.Sequential(nn.Flatten(), nn.Linear(int(np.prod(shape)), 3))
    return LossDetector(net, max_epochs=1, stop_at=0.01, device="cpu", random_state=0).fit(X, y), X, y


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy], ids=["array", "tensor"])
def test_grid_shows_the_worst_pictures_in_order(shape, kind):
    detector, X, y = fitted(shape)
    display = SuspectsDisplay.from_estimator(detector, kind(X), k=5, n_columns=3)
    assert len(display.axes_) == 5
    for ax, i in zip(display.axes_, detector.ranking_, strict=False):
        drawn = np.asarray(ax.images[0].get_array())
        assert np.allclose(drawn, X[i].reshape(shape[-2:]) if X[i].size == 64 else X[i].transpose(1, 2, 0))
        assert ax.get_title() == f"{y[i]} → {detector.suggested_labels_[i]}?"


def test_pictures_outside_the_unit_range_are_scaled_together():
    detector, X, _ = fitted((8, 8))
    display = SuspectsDisplay.from_estimator(detector, 10 * X - 5, k=4)
    assert display.images.min() == 0
    assert display.images.max() == 1


def test_other_data_is_refused():
    detector, X, _ = fitted((8, 8))
    with pytest.raises(ValueError, match="X has 7 samples"):
        SuspectsDisplay.from_estimator(detector, X[:7])
    with pytest.raises(ValueError, match="no picture"):
        SuspectsDisplay.from_estimator(detector, X.reshape(30, 64))


def test_drawing_on_a_given_figure():
    from matplotlib.figure import Figure

    figure = Figure()
    display = SuspectsDisplay(np.zeros((3, 4, 4)), [0, 1, 2], [1, 2, 0], [5, 6, 7]).plot(n_columns=2, figure=figure)
    assert display.figure_ is figure
    assert len(figure.axes) == 4


def test_a_figure_of_its_own_is_one_of_pyplots_as_of_other_displays():
    display = SuspectsDisplay(np.zeros((3, 4, 4)), [0, 1, 2], [1, 2, 0], [5, 6, 7]).plot()
    assert plt.fignum_exists(display.figure_.number)


def test_from_predictions_equals_from_estimator():
    detector, X, y = fitted((8, 8))
    one = SuspectsDisplay.from_estimator(make_pipeline(FunctionTransformer(), detector), X, k=5)
    two = SuspectsDisplay.from_predictions(X, y, detector.suggested_labels_, detector.scores_, k=5)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.index, two.index)
    assert [ax.get_title() for ax in one.axes_] == [ax.get_title() for ax in two.axes_]


def test_known_ones_get_a_dot_and_the_index_may_stand_above():
    detector, X, y = fitted((8, 8))
    mask = np.isin(np.arange(30), detector.ranking_[[0, 2, 9]])
    one = SuspectsDisplay.from_estimator(detector, X, k=5, marked=mask, show_index=True)
    two = SuspectsDisplay.from_predictions(
        X, y, detector.suggested_labels_, detector.scores_, k=5, marked=torch.tensor(mask), show_index=True
    )
    for display in (one, two):
        assert [len(ax.lines) for ax in display.axes_] == [1, 0, 1, 0, 0]
        assert len(display.dots_) == 2
        assert [ax.get_title().split("\n")[0] for ax in display.axes_] == [str(i) for i in detector.ranking_[:5]]


def test_names_are_no_formulas():
    display = SuspectsDisplay(np.zeros((1, 4, 4)), [r"$\frac$"], ["x" * 300], [0]).plot(n_columns=1)
    display.figure_.canvas.draw()  # where a formula would be read
    assert len(display.axes_[0].get_title()) < 40


def test_held_out_samples_are_drawn_by_scores_of_their_own():
    detector, X, y = fitted((8, 8))
    new, detector = X[::-1][:12] * 0.5, detector.set_params(keep_snapshots=1).fit(X, y)
    scores = detector.score_samples(new, y[:12])
    display = SuspectsDisplay.from_predictions(new, y[:12], np.roll(y[:12], 1), scores, k=3)
    assert display.index.tolist() == np.argsort(-scores, kind="stable")[:3].tolist()
    np.testing.assert_array_equal(display.images, new[display.index])


WRONG = {
    "marked": ({"marked": [True]}, "marked has 1 entries for 3 samples"),
    "k": ({"k": 0}, "k must be"),
    "given": ({"given": [1]}, "given must have one entry for each of 3 samples"),
    "suggested": ({"suggested": [1]}, "suggested must have one entry for each of 3 samples"),
    "scores": ({"scores": [1, 2, np.nan]}, "scores holds NaN"),
}


@pytest.mark.parametrize(("options", "message"), WRONG.values(), ids=WRONG)
def test_wrong_predictions_are_named(options, message):
    right = {"X": np.zeros((3, 4, 4)), "given": [0, 1, 2], "suggested": [1, 2, 0], "scores": [1, 2, 3]}
    with pytest.raises(ValueError, match=message):
        SuspectsDisplay.from_predictions(**{**right, **options})
