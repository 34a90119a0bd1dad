"""What all displays share: where they find a detector, what they draw on, and which arguments they refuse."""

from __future__ import annotations

import copy
import inspect
import re
from dataclasses import fields

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from curvdetect import (
    DetectionCurveDisplay,
    ExtremesDisplay,
    LabelConfusionDisplay,
    LossDetector,
    ScoreHistogramDisplay,
    SimilarityCurveDisplay,
    SuspectsDisplay,
    TrainingCurveDisplay,
)
from tests.review.plots.fitted import N, axes, fitted, in_a_pipeline

DISPLAYS = {
    "confusion": (LabelConfusionDisplay, lambda X, y, mask: ()),
    "detection": (DetectionCurveDisplay, lambda X, y, mask: (mask,)),
    "extremes": (ExtremesDisplay, lambda X, y, mask: (X,)),
    "histogram": (ScoreHistogramDisplay, lambda X, y, mask: ()),
    "similarity": (SimilarityCurveDisplay, lambda X, y, mask: (np.arange(N), X.reshape(N, -1), y)),
    "suspects": (SuspectsDisplay, lambda X, y, mask: (X,)),
    "training": (TrainingCurveDisplay, lambda X, y, mask: ()),
}


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_detector_and_a_pipeline_that_ends_with_it_are_drawn_alike_on_given_axes_and_on_new_ones(name):
    display, arguments = DISPLAYS[name]
    detector, *data = fitted()
    ax = axes()
    where = {"figure": ax.figure} if name == "suspects" else {"ax": ax}
    two = display.from_estimator(in_a_pipeline(), *arguments(*data), **where)
    assert two.figure_ is ax.figure
    assert plt.get_fignums() == []
    one = display.from_estimator(detector, *arguments(*data))
    assert one.figure_.number in plt.get_fignums()  # new figures are pyplot's
    for field in fields(display):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(two, field.name))
    assert getattr(one, "name", "CurvatureNoiseDetector") == "CurvatureNoiseDetector"
    with pytest.raises(NotFittedError):
        display.from_estimator(LossDetector(), *arguments(*data))


@pytest.mark.parametrize("display", [display for display, _ in DISPLAYS.values()])
def test_the_docstrings_describe_every_parameter_and_where_it_was_drawn(display):
    assert "figure_" in display.__doc__
    for thing in (display, display.from_estimator, display.from_predictions, display.plot):
        section = thing.__doc__.partition("Parameters\n----------\n")[2].partition("\n\n")[0]
        described = {
            name for head in re.findall(r"^(\S.*?)(?: :|$)", section, re.MULTILINE) for name in head.split(", ")
        }
        names = {str(part).partition(":")[0] for part in inspect.signature(thing).parameters.values()}
        assert names - {"self"} == described, thing


MASK = np.arange(30) % 10 == 0
SCORES = np.arange(30.0)
PICTURES, GIVEN, SUGGESTED = np.zeros((3, 4, 4)), ["a", "b", "c"], ["b", "c", "a"]
EPOCHS, REFERENCE = np.ones((5, 30)), np.arange(30) + 1.0
RIGHT = {
    LabelConfusionDisplay: {"given": GIVEN, "suggested": SUGGESTED},
    DetectionCurveDisplay: {"noise_mask": MASK, "scores": SCORES},
    ExtremesDisplay: {"X": PICTURES, "y": GIVEN, "scores": [1, 2, 3]},
    ScoreHistogramDisplay: {"scores": SCORES, "noise_mask": MASK},
    SimilarityCurveDisplay: {"reference": REFERENCE, "scores": EPOCHS},
    SuspectsDisplay: {"X": PICTURES, "given": GIVEN, "suggested": SUGGESTED, "scores": [1, 2, 3]},
    TrainingCurveDisplay: {"epoch": [1, 2], "loss": [1.0, 2.0]},
}
WRONG = [
    (LabelConfusionDisplay, {"suggested": ["b"]}, "suggested must have one entry for each of 3 samples"),
    (LabelConfusionDisplay, {"flagged": [True]}, "flagged has 1 entries for 3 samples"),
    (LabelConfusionDisplay, {"labels": ["a", "c"]}, "labels leaves out 'b'"),
    (LabelConfusionDisplay, {"max_classes": 0}, "max_classes must be"),
    (LabelConfusionDisplay, {"given": ["a", None, "c"]}, "given contains NaN"),
    (DetectionCurveDisplay, {"noise_mask": None}, "noise_mask is needed"),
    (DetectionCurveDisplay, {"noise_mask": MASK | True}, "marks every label"),
    (DetectionCurveDisplay, {"scores": np.full(30, np.nan)}, "scores holds NaN"),
    (DetectionCurveDisplay, {"kind": "pr"}, "kind must be 'roc' or 'precision', got 'pr'"),
    (DetectionCurveDisplay, {"xscale": "cubic"}, "xscale must be 'auto', 'linear' or 'log'"),
    (ExtremesDisplay, {"X": PICTURES[:2]}, "X has 2 samples"),
    (ExtremesDisplay, {"X": PICTURES.reshape(3, 16)}, "no picture.*reshape"),
    (ExtremesDisplay, {"classes": ["cow"]}, r"classes must hold some of the labels \['a', .*got \['cow'\]"),
    (ScoreHistogramDisplay, {"noise_mask": MASK & False}, "marks no label"),
    (ScoreHistogramDisplay, {"threshold": "high"}, "threshold must be None or a score"),
    (ScoreHistogramDisplay, {"bins": 0}, "bins must be"),
    (ScoreHistogramDisplay, {"xscale": "log"}, "xscale='log' needs positive scores, and the smallest is 0"),
    (ScoreHistogramDisplay, {"yscale": None}, "yscale must be"),
    (ScoreHistogramDisplay, {"marks": "stars"}, "marks must be"),
    (SimilarityCurveDisplay, {"scores": EPOCHS[0]}, r"one row for each epoch .* got an array of shape \(30,\)"),
    (SimilarityCurveDisplay, {"reference": REFERENCE[:9]}, "one column for each of 9 samples"),
    (SimilarityCurveDisplay, {"scores": [[1.0], [1.0, 2.0]]}, "scores must hold numbers, one row for each epoch"),
    (SimilarityCurveDisplay, {"scores": EPOCHS * [[1], [np.nan], [1], [1], [1]]}, "NaN or infinity in row 1"),
    (SimilarityCurveDisplay, {"scores": EPOCHS * [[1], [1], [0], [1], [1]]}, "scores is 0 everywhere in row 2"),
    (SimilarityCurveDisplay, {"epoch": [1, 2]}, r"epoch must hold one number for each of 5 rows of scores"),
    (SimilarityCurveDisplay, {"top_k": 31}, "k must be a whole number of samples, from 1 to 30"),
    (SuspectsDisplay, {"marked": [True]}, "marked has 1 entries for 3 samples"),
    (SuspectsDisplay, {"k": 0}, "k must be"),
    (SuspectsDisplay, {"n_columns": 0}, "n_columns must be"),
    (SuspectsDisplay, {"suggested": "cat"}, "suggested must have one entry for each of 3 samples"),
    (TrainingCurveDisplay, {"loss": [1.0]}, r"loss must hold one number for each of 2 epochs, got .*\(1,\)"),
    (TrainingCurveDisplay, {"loss": ["a", "b"]}, "loss must hold numbers"),
    (TrainingCurveDisplay, {"epoch": [], "loss": []}, "epoch must hold one number for each epoch"),
]


@pytest.mark.parametrize(
    ("display", "options", "message"), WRONG, ids=[f"{kind.__name__} {' '.join(wrong)}" for kind, wrong, _ in WRONG]
)
def test_wrong_arguments_are_named(display, options, message):
    with pytest.raises(ValueError, match=message):
        display.from_predictions(**RIGHT[display] | options)


def test_estimators_without_what_is_drawn_are_refused():
    detector, X, y, _ = fitted()
    for arguments, options, said in (
        ((X, None), {}, "X and y go together"),
        ((None, y), {}, "X and y go together"),
        ((), {"signal": "loss"}, r"signal must be 'auto' or one .*\['curvature_contrast', 'curvature'\], got 'loss'"),
    ):
        with pytest.raises(ValueError, match=said):
            TrainingCurveDisplay.from_estimator(detector, *arguments, **options)
    without = copy.copy(detector)
    del without.history_
    with pytest.raises(ValueError, match="CurvatureNoiseDetector, which keeps no history"):
        TrainingCurveDisplay.from_estimator(without)
