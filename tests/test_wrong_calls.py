"""A detector or a function that is called wrongly names the argument, and the way out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.exceptions import NotFittedError

from curvdetect import (
    LossDetector,
    SuspectsDisplay,
    conflicting_duplicates,
    corrupt_labels,
    fuse,
    input_curvature,
    input_curvatures,
    load_image_folder,
    recommended_signals,
)
from curvdetect.training.nets import MLP
from tests.cases import digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 40
X, Y = digits(N)
NAN = float("nan")


@pytest.fixture(scope="module")
def fitted():
    return LossDetector(quick_net(), stop_at=0.01, device="cpu").fit(X, Y)


MASK = np.arange(N) < 4
ANSWERS = {
    "not_fitted": (lambda d: LossDetector().ranking(), "not fitted yet", NotFittedError),
    "no_rows": (lambda d: d.score_samples(X[:0]), r"0 sample\(s\)"),
    "text_rows": (lambda d: d.score_samples(pd.DataFrame(X).add_prefix("p").assign(p0="x")), r"no number in .* 'p0'"),
    "path": (lambda d: d.predict("photos"), "X is the str 'photos'", TypeError),
    "mask_of_indices": (lambda d: d.score(noise_mask=[3, 5]), "noise_mask has 2 entries for 40 samples"),
    "mask_of_numbers": (lambda d: d.score(noise_mask=np.arange(N)), "noise_mask must hold booleans"),
    "mask_of_words": (lambda d: d.score(noise_mask=["a"] * N), "noise_mask must hold booleans"),
    "mask_of_two_columns": (lambda d: d.score(noise_mask=np.zeros((N, 2))), r"be a 1d array.*\(40, 2\)\.$"),
    "mask_with_gaps": (lambda d: d.score(noise_mask=pd.array([True, pd.NA] * 20)), "contains NaN .*20 of 40"),
    "fewer_weights": (lambda d: d.score(noise_mask=MASK, sample_weight=[1.0]), r"must hold 40 numbers.*\(1,\)"),
    "nan_weights": (lambda d: d.score(noise_mask=MASK, sample_weight=[NAN] * N), "sample_weight must hold"),
    "negative_weights": (lambda d: d.score(noise_mask=MASK, sample_weight=[-1] * N), "sample_weight must hold"),
    "masked_mask": (lambda d: d.score(noise_mask=np.ma.masked_array(MASK, MASK)), "noise_mask is a masked array"),
    "many_words_for_weights": (
        lambda d: d.score(noise_mask=MASK, sample_weight=["a"] * 9999),
        r"must hold numbers, got \['a', 'a', 'a', 'a', 'a', \.\.\.\]\.$",
    ),
    "words_for_weights": (lambda d: d.score(noise_mask=MASK, sample_weight=["a"] * N), "weight must hold numbers"),
    "display_of_tables": (lambda d: SuspectsDisplay.from_estimator(d, X), r"shape \(64,\), which is no picture"),
    "display_of_other_data": (lambda d: SuspectsDisplay.from_estimator(d, X[:9]), "9 samples, but the detector .* 40"),
    "display_columns": (lambda d: SuspectsDisplay(X, Y, Y, Y).plot(n_columns=0), "n_columns must be"),
}
MODULE, T, L = MLP(64, 10, 8), torch.tensor(X), torch.tensor(Y)
FUNCTIONS = {
    "corrupt_word": (lambda: corrupt_labels(Y, "0.1"), r"rate must lie in \[0, 1\], got '0.1'"),
    "corrupt_matrix_word": (lambda: corrupt_labels(Y, kind="confusion", confusion="x"), "confusion must be a matrix"),
    "corrupt_missing": (lambda: corrupt_labels(["a", None, "b"], 0.1), "Input y contains NaN .*1 of 3"),
    "corrupt_mixed": (lambda: corrupt_labels([1, "a"], 0.1), "y mixes labels of types int, str"),
    "corrupt_nothing": (lambda: corrupt_labels(None, 0.1), "y should be a 1d array"),
    "duplicates_rate": (lambda: conflicting_duplicates(Y, None), "rate must lie in .*got None"),
    "fuse_empty": (lambda: fuse([]), r"scores must all have shape \(n_samples,\)"),
    "fuse_dictionary": (lambda: fuse({"a": [1, 2]}), "scores must be arrays of numbers"),
    "fuse_words": (lambda: fuse(["a", "b"]), "scores must be arrays of numbers"),
    "fuse_weight_number": (lambda: fuse([1, 2], [2, 1], weights=3), "weights must hold 2 numbers"),
    "fuse_weight_words": (lambda: fuse([1, 2], [2, 1], weights=["a", 1]), "weights must hold 2 numbers"),
    "fuse_weight_infinite": (lambda: fuse([1, 2], [2, 1], weights=[1, float("inf")]), "weights must hold 2 numbers"),
    "curvature_of_arrays": (lambda: input_curvature(MODULE, X, L), "X must be a tensor, got ndarray", TypeError),
    "curvature_of_lists": (lambda: input_curvature(MODULE, T, Y.tolist()), "y must be a tensor, got list", TypeError),
    "curvature_of_a_net": (lambda: input_curvature(quick_net(), T, L), r"module must be .*net\.module_", TypeError),
    "curvature_of_integers": (lambda: input_curvature(MODULE, T.long(), L), r"X must hold real numbers.*int64"),
    "curvature_real_labels": (lambda: input_curvature(MODULE, T, L.float()), "y must hold whole numbers"),
    "curvature_classes": (lambda: input_curvature(MODULE, T, L + 5), "y holds 14, but module puts out 10 logits"),
    "curvature_minus": (lambda: input_curvature(MODULE, T, L - 100), "y holds -100"),
    "curvature_lengths": (lambda: input_curvature(MODULE, T, L[:3]), "X has 40 samples and y 3 labels"),
    "curvature_batch": (lambda: input_curvature(MODULE, T, L, batch_size=2.5), "batch_size must be a whole number"),
    "curvature_seed": (lambda: input_curvature(MODULE, T, L, seed=None), "seed must be a whole number"),
    "curvature_output": (lambda: input_curvature(MODULE, T, L, output="x"), "output must be"),
    "curvatures_step": (lambda: input_curvatures(MODULE, T, L, h=1e-2, n=[1], power=[1]), "h must be a sequence"),
    "recommended_percent": (lambda: recommended_signals(90), r"train_accuracy must be a share in \[0, 1\], got 90"),
    "recommended_nan": (lambda: recommended_signals(NAN), "train_accuracy must be"),
    "folder_number": (lambda: load_image_folder(3), "root must be the path of a folder, got 3", TypeError),
    "folder_size": (lambda: load_image_folder(".", size=0), "size must be a whole number"),
}


@pytest.mark.filterwarnings("ignore:X has feature names:UserWarning")
@pytest.mark.parametrize("case", ANSWERS.values(), ids=ANSWERS)
def test_what_a_fitted_detector_cannot_answer_is_named(fitted, case):
    call, message, *kind = case
    with pytest.raises(kind[0] if kind else ValueError, match=message):
        call(fitted)


@pytest.mark.parametrize("case", FUNCTIONS.values(), ids=FUNCTIONS)
def test_what_a_function_cannot_be_given_is_named(case):
    call, message, *kind = case
    with pytest.raises(kind[0] if kind else ValueError, match=message):
        call()
