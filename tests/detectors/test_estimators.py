"""Every detector as scikit-learn sees it: parameters and their description, tags, and the library's own checks."""

from __future__ import annotations

import inspect
import re

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

import curvdetect
from curvdetect import (
    ConfidentLearningDetector,
    CurvatureNoiseDetector,
    CurvatureSearch,
    CurvSSFT,
    FusedDetector,
    InputGradientDetector,
    LeaveOneOutDetector,
    LossDetector,
    OutOfBagDetector,
    PlantedNoise,
    SSFTDetector,
)
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.parameters import Number, Trained, check_value
from curvdetect.signals.registry import recorded
from tests.cases import noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

EXPORTED = [getattr(curvdetect, name) for name in curvdetect.__all__]
CLASSES = [c for c in EXPORTED if isinstance(c, type) and issubclass(c, BaseNoiseDetector)]
DETECTORS = [c for c in CLASSES if not inspect.isabstract(c)]
ALWAYS, SECOND_SPLIT = recorded("always").keys(), recorded("second split").keys()
CURVATURES = ALWAYS | {"curvature", "curvature_contrast"}
RECORDED = {
    CurvatureNoiseDetector: CURVATURES,
    SSFTDetector: SECOND_SPLIT,
    CurvSSFT: CURVATURES | SECOND_SPLIT,
    FusedDetector: ALWAYS | {"late_loss", "late_margin", "early_margin", "leave_one_out", "out_of_bag"},
    LeaveOneOutDetector: {"leave_one_out"},
    OutOfBagDetector: {"out_of_bag"},
    InputGradientDetector: ALWAYS | {"input_gradient"},
    ConfidentLearningDetector: {"self_confidence", "normalized_margin", "flags"},
}
EXPECTED_TO_FAIL = {"check_fit_idempotent": "scores rows that were not fitted, of which there is no training score"}

each = pytest.mark.parametrize("detector", DETECTORS, ids=lambda c: c.__name__)


LOSS, CURVATURE = (kind(max_epochs=1, device="cpu", random_state=0) for kind in (LossDetector, CurvatureNoiseDetector))


@parametrize_with_checks(
    # with a seed, checks that ask for determinism run too; the other detectors of one signal differ by its name alone
    [
        LOSS,
        clone(LOSS).set_params(q="auto"),
        *(kind(max_epochs=1) for kind in (CurvatureNoiseDetector, FusedDetector, SSFTDetector)),
        CurvSSFT(max_epochs=1, share_training=True),
        ConfidentLearningDetector(max_epochs=1, cv=2),
        LeaveOneOutDetector(random_state=0),
        OutOfBagDetector(random_state=0),
        PlantedNoise(LOSS, refit=True, random_state=0),
        CurvatureSearch(CURVATURE, {"h": [1e-2, 1e-1]}, random_state=0),
    ],
    expected_failed_checks=lambda estimator: EXPECTED_TO_FAIL,
)
@pytest.mark.usefixtures("few_chains", "few_trees")
def test_sklearn_check(estimator, check):
    check(estimator)


@each
def test_constructor_only_assigns_and_params_make_the_round_trip(detector):
    kinds = {name: p.kind for name, p in inspect.signature(detector).parameters.items()}
    trains = issubclass(detector, Trained)
    positional = [name for name, kind in kinds.items() if kind is not inspect.Parameter.KEYWORD_ONLY]
    assert positional == ["net"] * trains
    given = {name: object() for name in kinds}
    assert vars(detector(**given)) == given
    estimator = detector(q=5, random_state=1)
    if trains:
        estimator = detector(quick_net(), max_epochs=3, q=5, random_state=1).set_params(net__lr=0.25)
        assert estimator.net.lr == 0.25
    params = estimator.get_params(deep=False)
    assert list(params) == sorted(kinds)
    assert detector().set_params(**params).get_params(deep=False) == params
    assert repr(detector(q=3)) == f"{detector.__name__}(q=3)"


@each
def test_tags_say_what_is_taken(detector):
    tags = get_tags(detector())
    assert tags.target_tags.required
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.sparse
    assert not tags.input_tags.allow_nan
    assert tags.estimator_type is None
    assert tags.non_deterministic
    assert not get_tags(detector(random_state=0)).non_deterministic


@pytest.fixture(scope="module")
def fitted():
    """Fit each class once."""
    X, labels, _, _ = noisy_digits(80)
    made = {}

    def fit(detector):
        if detector not in made:
            options = {"cv": 2} if detector is ConfidentLearningDetector else {}
            if issubclass(detector, Trained):
                options["net"] = quick_net()
            made[detector] = detector(device="cpu", random_state=0, **options).fit(X, labels)
        return made[detector]

    return fit


FITTED = ["scores_", "decision_scores_", "ranking_", "labels_", "threshold_", "offset_", "suggested_labels_"]
FITTED += ["signal_scores_", "classes_", "n_features_in_", "device_", "interrupted_"]


@each
def test_every_detector_sets_the_common_attributes(detector, fitted):
    estimator = fitted(detector)
    assert [name for name in FITTED if not hasattr(estimator, name)] == []
    assert estimator.scores_.shape == (80,)
    assert estimator.scores_.dtype == np.float64
    assert estimator.labels_.sum() == 8
    assert all(values.shape == (80,) for values in estimator.signal_scores_.values())
    assert estimator.signal_scores_.keys() == RECORDED.get(detector, ALWAYS)


def test_paper_sets_what_equation_6_says_and_can_be_overridden():
    defaults = CurvatureNoiseDetector().get_params()
    printed = {"h": 1e-3, "n": 10, "power": 2, "every": 1, "contrast": False, "units": "raw"}
    assert CurvatureNoiseDetector.paper().get_params() == {**defaults, **printed}
    changed = {"net": "resnet-mnist", "n": 2, "q": 7}
    assert CurvatureNoiseDetector.paper(**changed).get_params() == {**defaults, **printed, **changed}


LABELS = {
    "two_of_two": ["a"] * 40 + ["b"] * 2 + ["c"] * 2,
    "two_of_each": list(range(10)) * 2,
    "two_samples": [0, 1],
    "many_classes": list(range(200)) * 2,
}
SPLITTING = (SSFTDetector, CurvSSFT, ConfidentLearningDetector)  # which need two samples of a class
FEW = [(kind, name) for kind in (CurvatureNoiseDetector, *SPLITTING) for name in LABELS if name != "two_samples"]
FEW += [(CurvatureNoiseDetector, "two_samples")]


@pytest.mark.filterwarnings("ignore:The least populated class:UserWarning")
@pytest.mark.filterwarnings("ignore:y holds:UserWarning")
@pytest.mark.filterwarnings("ignore:May not flag all label issues:UserWarning")
@pytest.mark.parametrize(("detector", "name"), FEW)
def test_few_samples_and_many_classes_are_ranked(detector, name):
    labels = LABELS[name]
    X = np.random.default_rng(0).standard_normal((len(labels), 6))
    options = {"cv": 2} if detector is ConfidentLearningDetector else {}
    net = quick_net(6, len(set(labels)), max_epochs=1)
    made = detector(net, q=1, device="cpu", random_state=0, **options).fit(X, labels)
    assert np.isfinite(made.scores_).all()
    assert made.classes_.tolist() == sorted(set(labels))
    assert (made.suggested_labels_ != np.asarray(labels)).all()
    assert sorted(made.ranking_) == list(range(len(labels)))


def described(docstring, heading="Parameters"):
    """Return the names that a section of a docstring describes, and the texts without a word."""
    section = re.search(rf"^{heading}\n-+\n(.*?)(?=\n\n|\Z)", inspect.cleandoc(docstring), re.DOTALL | re.MULTILINE)
    entries = re.split(r"\n(?=\S)", section[1])
    heads = [entry.partition("\n")[0].partition(" : ") for entry in entries]
    empty = [entry for entry in entries if "\n    " not in entry]
    return [name for names, _, _ in heads for name in names.split(", ")], empty


@pytest.mark.parametrize("cls", [c for c in EXPORTED if isinstance(c, type) and issubclass(c, BaseEstimator)])
def test_the_docstring_of_every_public_class_describes_all_its_parameters_and_no_others(cls):
    names, empty = described(cls.__doc__)
    assert sorted(names) == sorted(cls._get_param_names())
    assert len(set(names)) == len(names)
    assert empty == []
    assert "Examples" in cls.__doc__ or inspect.isabstract(cls)
    attributes, empty = described(cls.__doc__, "Attributes")
    assert len(set(attributes)) == len(attributes)
    assert empty == []


def test_only_what_is_listed_is_allowed():
    listed = [None, "auto", Number("a whole number, at least 1"), callable]
    for value in (1, np.int64(3), np.uint8(1), "auto", None, len):
        check_value("a", value, listed)
    for value in (0, True, np.True_, 1.5, "other", b"auto", [1], float("nan")):
        with pytest.raises(ValueError, match=r"^a must be None, 'auto', a whole .* or a callable, got "):
            check_value("a", value, listed)
