"""A detector that is fitted on the wrong thing names the argument, and what to pass instead."""

from __future__ import annotations

import dask.dataframe as dask
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.pipeline import make_pipeline
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler

from curvdetect import (
    ConfidentLearningDetector,
    CurvSSFT,
    FusedDetector,
    LossDetector,
    SSFTDetector,
    memorizing_net,
    one_cycle,
    step_decay,
)
from curvdetect.training.nets import MLP
from tests.cases import digits, quick_net

pytestmark = [
    pytest.mark.filterwarnings("ignore:The least populated class:UserWarning"),
    pytest.mark.filterwarnings("ignore:y holds .* fewer than 3 samples a class:UserWarning"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
N = 40
X, Y = digits(N)
FRAME = pd.DataFrame(X[:, 20:24], columns=list("abcd"))
DAY = pd.Timestamp("2024-01-01")
NAN = float("nan")


def _fit(X=X, y=Y, kind=LossDetector, net=None, **params):
    return kind(net or quick_net(max_epochs=1), **{"device": "cpu", **params}).fit(X, y)


def _with_net(**options):
    return _fit(net=quick_net(**options))


SAMPLES = {
    "nothing": (lambda: _fit(None), "X is None. Pass the samples"),
    "number": (lambda: _fit(3), "X is 3. Pass the samples"),
    "text_in_frame": (lambda: _fit(FRAME.assign(town="x", road="y")), r"no number in column\(s\) 'town', 'road'"),
    "text_in_polars": (lambda: _fit(pl.DataFrame({"a": range(N), "b": ["x"] * N})), r"no number in column\(s\) 'b'"),
    "text_in_objects": (lambda: _fit(np.array([[1, "a"]] * N, dtype=object)), r"column\(s\) 1, such as 'a'\. Encode"),
    "text_in_lists": (lambda: _fit([[1, "a"]] * N), r"no number in column\(s\) 1, such as 'a'"),
    "text_in_arrow": (lambda: _fit(pa.table({"a": range(N), "b": ["x"] * N})), r"no number in column\(s\) 'b'"),
    "text_in_dask": (lambda: _fit(dask.from_pandas(FRAME.assign(e="x"), npartitions=2)), r"no number in .* 'e'"),
    "text_of_great_length": (lambda: _fit(FRAME.assign(**{"e" * 9999: "x" * 9999})), "'eee.*eee', such as 'xxx.*xxx'"),
    "categories": (lambda: _fit(FRAME.assign(kind=pd.Categorical(["a", "b"] * 20))), "'kind', such as 'a'"),
    "lists_in_frame": (lambda: _fit(FRAME.assign(e=[[1, 2]] * N)), r"column\(s\) 'e', such as \[1, 2\]"),
    "dates_in_frame": (lambda: _fit(FRAME.assign(day=DAY)), r"'day', such as Timestamp\('2024.*make dates days"),
    "dates_of_a_zone": (lambda: _fit(FRAME.assign(day=DAY.tz_localize("UTC"))), r"no number in column\(s\) 'day'"),
    "dates_as_objects": (lambda: _fit(FRAME.assign(day=DAY.date())), r"column\(s\) 'day', such as datetime.date"),
    "dates_in_polars": (lambda: _fit(pl.DataFrame({"a": range(N), "day": [DAY.date()] * N})), r"column\(s\) 'day'"),
    "durations": (lambda: _fit(FRAME.assign(took=DAY - DAY)), r"column\(s\) 'took', such as Timedelta"),
    "dates": (lambda: _fit(np.full((N, 1), np.datetime64("2024-01-01"))), r"no number in column\(s\) 0, such as Time"),
    "numbers_as_text": (lambda: _fit(X.astype(str)), r"X holds numbers as text\..*dtype=float"),
    "one_name_twice": (lambda: _fit(pd.concat([FRAME, FRAME["a"].map(str)], axis=1)), "of the name 'a'|no number in"),
    "texts": (lambda: _fit(["a cat", "a dog"] * 20), r"words \('a cat', \.\.\.\).*vectors.*load_image_folder"),
    "series_of_texts": (lambda: _fit(pd.Series(["a cat", "a dog"] * 20)), r"X holds words \('a cat', \.\.\.\)"),
    "sparse": (lambda: _fit(csr_array(X)), "Sparse data was passed for X.*toarray.*TruncatedSVD", TypeError),
    "missing_in_frame": (
        lambda: _fit(FRAME.assign(b=pd.array([1, pd.NA, pd.NA] + [1] * (N - 3)))),
        r"Input X contains NaN in column\(s\) 'b', in 2 of 40 rows, the first of them row 1\. .*SimpleImputer.*out\.$",
    ),
    "missing_in_polars": (lambda: _fit(pl.DataFrame({"a": [None] + [1.0] * (N - 1)})), r"NaN in .* 'a', in 1 of"),
    "missing_in_array": (lambda: _fit([[1.0, NAN], *[[1.0, 2.0]] * (N - 1)]), "in 1 of 40 rows, the first of .* row 0"),
    "rows_of_unequal_length": (
        lambda: _fit([[1, 2], [1]] * 20),
        r"X holds rows of different shapes: \(2,\) in row 0 and \(1,\) in row 1\. Make all rows of one length",
    ),
    "unequal_in_objects": (lambda: _fit(np.array([X[0], X[1, :9]] * N, dtype=object)), r"\(64,\) in row 0 and \(9,\)"),
    "unequal_in_series": (lambda: _fit(pd.Series([X[0], X[1, :9]] * 20)), r"\(64,\) in row 0 and \(9,\) in row 1"),
    "unequal_tensors": (lambda: _fit([torch.ones(3), torch.ones(4)] * 20), r"\(3,\) in row 0 and \(4,\)"),
    "pictures_of_unequal_size": (lambda: _fit([np.ones((8, 8)), np.ones((9, 8))] * 20), "of pictures, one size"),
    "arrays_in_series": (lambda: _fit(pd.Series(list(X))), r"Series of 40 arrays of shape \(64,\)\..*np.stack\(X\)"),
    "pairs": (lambda: _fit(list(zip(X, Y, strict=True)), None), r"pairs \(x, y\)\. Pass .* apart.*a Dataset"),
    "pairs_of_lists_beside_labels": (lambda: _fit([[x.tolist(), "a"] for x in X]), "X is a list of pairs"),
    "two_inputs": (lambda: _fit((X[:, :32], X[:, 32:])), r"2 arrays of shapes \(40, 32\) and .* one .*concatenate"),
    "three_frames": (lambda: _fit([FRAME, FRAME, FRAME]), r"X is a list of 3 arrays of shapes \(40, 4\) and .*apart"),
    "samples_and_labels_in_one": (lambda: _fit((X, Y), None), r"shapes \(40, 64\) and \(40,\).*fit\(X, y\)"),
    "records": (lambda: _fit([{"a": 1.0}] * N), r"X is a list of records\..*pandas\.DataFrame\(X\)"),
    "structured": (lambda: _fit(FRAME.to_records()), "X is a recarray of records"),
    "set": (lambda: _fit({1, 2}), "X is a set. Pass the samples"),
    "generator": (lambda: _fit(x for x in X), "X is a generator. Pass the samples"),
    "zip": (lambda: _fit(zip(X, Y, strict=True), None), "X is a zip. Pass the samples"),
    "lazy_frame": (lambda: _fit(pl.LazyFrame(X)), "X is a LazyFrame. Pass the samples"),
    "masked": (lambda: _fit(np.ma.masked_array(X, X[3] == X)), "X is a masked array, masked in .* rows, the first of"),
    "series_of_channels": (
        lambda: LossDetector(max_epochs=1, device="cpu").fit(np.ones((N, 3, 100)), Y),
        r"X has samples of shape \(3, 100\).*8 by 8.*Series .* become rows by X.reshape",
    ),
    "too_large": (lambda: _fit(X.astype(float) * 1e300), "X holds values too large for float32"),
    "one_row": (lambda: _fit().score_samples(X[0]), "Expected 2D array, got 1D array"),
}
LABELS = {
    "word": (lambda: _fit(y="label"), "y should be a 1d array"),
    "number": (lambda: _fit(y=3), "y should be a 1d array"),
    "generator": (lambda: _fit(y=(v for v in Y)), "y should be a 1d array"),
    "dictionary": (lambda: _fit(y=dict(enumerate(Y))), r"y is a dict, .*list\(y.values\(\)\)"),
    "masked": (lambda: _fit(y=np.ma.masked_array(Y, Y[0] == Y)), "y is a masked array, masked in"),
    "one_name": (lambda: _fit(y=["x" * 9999] * N), r"y holds one class only \(\['xxx.*xxx'\]\)"),
    "one_hot": (lambda: _fit(y=np.eye(10)[Y]), r"one entry for each sample, got one of shape \(40, 10\).*argmax"),
    "swapped": (lambda: _fit(Y, X), "y should be a 1d array"),
    "frame": (lambda: _fit(y=FRAME), "y should be a 1d array"),
    "tuples": (lambda: _fit(y=[(int(v), "a") for v in Y]), r"of type tuple.*list\(map\(str, y\)\)|1d array"),
    "none_among_them": (lambda: _fit(y=[None, *Y[1:]]), "Input y contains NaN .*1 of 40 entries.* index 0"),
    "na_among_them": (lambda: _fit(y=pd.Series([pd.NA, *Y[1:]])), "Input y contains NaN .*1 of 40 entries"),
    "nan_among_text": (lambda: _fit(y=[NAN, *map(str, Y[1:])]), "Input y contains NaN .*1 of 40 entries"),
    "numbers_among_text": (lambda: _fit(y=[1, *map(str, Y[1:])]), r"y mixes labels of types int, str"),
    "once_each": (lambda: _fit(y=np.arange(N), kind=SSFTDetector), "y holds every label only once"),
    "once_each_in_folds": (lambda: _fit(y=np.arange(N), kind=ConfidentLearningDetector), "cv=5 .* largest in y has 1"),
    "twice_each_in_folds": (lambda: _fit(y=np.arange(N) // 2, kind=ConfidentLearningDetector), "has 2: pass cv=2"),
}
TWO = NeuralNetClassifier(MLP(64, 10, 8), criterion=nn.CrossEntropyLoss, max_epochs=1, iterator_train=DataLoader)
SAMPLED = TWO.set_params(iterator_train__sampler=SubsetRandomSampler(range(N)))
NETS = {
    "learning_rate_word": (lambda: _with_net(lr="x"), "net has lr='x'"),
    "learning_rate_negative": (lambda: _with_net(lr=-1), "net has lr=-1"),
    "learning_rate_nan": (lambda: _with_net(lr=NAN), "net has lr=nan"),
    "learning_rate_too_high": (lambda: _with_net(lr=1e30), "nan in epoch .*Lower the learn", FloatingPointError),
    "no_batch": (lambda: _with_net(batch_size=0), "net has batch_size=0"),
    "all_at_once": (lambda: _with_net(batch_size=-1), "net has batch_size=-1"),
    "half_a_sample": (lambda: _with_net(batch_size=2.5), "net has batch_size=2.5"),
    "no_epoch": (lambda: _with_net(max_epochs=0), "net has max_epochs=0"),
    "word_of_epochs": (lambda: _with_net(max_epochs="x"), "net has max_epochs='x'"),
    "logits_for_probabilities": (lambda: _fit(net=NeuralNetClassifier(MLP(64, 10))), "NLLLoss.*CrossEntropyLoss"),
    "class_of_nets": (lambda: _fit(net=NeuralNetClassifier), "net is the class NeuralNetClassifier", TypeError),
    "module_number": (lambda: _fit(net=memorizing_net(3)), "net has module=3", TypeError),
    "loader_word": (lambda: _with_net(iterator_train="x"), "net has iterator_train='x'", TypeError),
    "schedule_word": (lambda: memorizing_net(nn.Linear, schedule="cosine"), "schedule must be a function", TypeError),
    "augmented_table": (lambda: _with_net(augment=True), "augment=True crops and flips pictures"),
    "workers_of_our_loader": (lambda: quick_net(iterator_train__num_workers=2), "iterator_train=torch.utils.data.Dat"),
    "sampler_for_a_half": (lambda: _fit(y=Y % 3, kind=SSFTDetector, net=SAMPLED), r"sample \d+ of 20.*shuffle=True"),
    "sampler_for_a_fold": (lambda: _fit(y=Y % 3, kind=ConfidentLearningDetector, net=SAMPLED), r"sample \d+ of 32"),
    "one_cycle_of_nothing": (lambda: one_cycle(0), "n_epochs must be a whole number, at least 1, got 0"),
    "one_cycle_of_halves": (lambda: one_cycle(2.5), "n_epochs must be"),
    "one_cycle_peak": (lambda: one_cycle(10, peak=3), r"peak must be a share of the epochs in \[0, 1\], got 3"),
    "steps_in_epochs": (lambda: step_decay(300, milestones=[150, 250]), "milestones must be shares of the epochs"),
    "steps_of_a_word": (lambda: step_decay(300, milestones="half"), "milestones must be shares"),
    "steps_gamma": (lambda: step_decay(300, gamma="x"), "gamma must be a number"),
}
PARAMETERS = {
    "random_state_float": (lambda: _fit(random_state=1.5), "random_state must be None, a whole number"),
    "random_state_negative": (lambda: _fit(random_state=-1), "random_state must be.*between 0 and"),
    "random_state_generator": (lambda: _fit(random_state=np.random.default_rng(0)), "random_state must be"),
    "both_combine_callable": (lambda: _fit(y=Y % 3, kind=CurvSSFT, combine=lambda a, b: 3), "returned .*of the 40"),
    "both_weight": (lambda: _fit(kind=CurvSSFT, weight=NAN), r"weight must be a share in \[0, 1\], got nan"),
    "fused_weight_word": (
        lambda: _fit(kind=FusedDetector, signals={"loss": "a", "margin": 1}),
        "weights must hold 2 numbers",
    ),
    "fused_one_weight_word": (lambda: _fit(kind=FusedDetector, signals={"loss": "a"}), "weights must hold 1 numbers"),
    "fused_weight_zero": (lambda: _fit(kind=FusedDetector, signals={"loss": 0}), "weights must hold 1 numbers"),
    "unknown": (lambda: LossDetector().set_params(foo=1), "Invalid parameter 'foo'"),
    "of_no_net": (lambda: LossDetector().set_params(net__lr=1), r"net=None has no .* net=memorizing_net\(None\)"),
    "of_a_named_net": (
        lambda: make_pipeline(LossDetector("resnet-mnist")).set_params(lossdetector__net__lr=1),
        r"'net__lr'.*net='resnet-mnist' has no .* net=memorizing_net\('resnet-mnist'\)",
    ),
    "of_a_module": (lambda: LossDetector(MLP(4, 2)).set_params(net__lr=1), r"net=memorizing_net\(MLP\(\.\.\.\)\)"),
    "unknown_of_the_net": (lambda: LossDetector(quick_net()).set_params(net__foo=1), "Invalid parameter 'foo'"),
}

GROUPS = {"samples": SAMPLES, "labels": LABELS, "net": NETS, "parameter": PARAMETERS}
CALLS = {f"{group}-{name}": case for group, cases in GROUPS.items() for name, case in cases.items()}


@pytest.mark.parametrize("name", CALLS)
def test_what_cannot_be_fitted_is_named(name):
    call, message, *kind = CALLS[name]
    with pytest.raises(kind[0] if kind else ValueError, match=message) as caught:
        call()
    if name.startswith(("samples", "labels")):
        assert len(str(caught.value)) <= 400
    if "X holds" in message:  # what another library said of it, at any length, is not shown above
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_parameters_of_the_net_may_come_together_with_the_net():
    assert LossDetector().set_params(net=quick_net(), net__lr=0.5).net.lr == 0.5


def test_probabilities_where_logits_are_wanted_are_warned_of():
    net = NeuralNetClassifier(nn.Sequential(MLP(64, 10), nn.Softmax(1)), criterion=nn.CrossEntropyLoss, max_epochs=1)
    with pytest.warns(UserWarning, match="net puts out probabilities.*wants logits.*softmax"):
        _fit(net=net)
