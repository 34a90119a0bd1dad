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
from skorch import NeuralNetClassifier
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler

from curvdetect import (
    ConfidentLearningDetector,
    InputGradientDetector,
    LossDetector,
    SSFTDetector,
    memorizing_net,
    one_cycle,
    step_decay,
)
from curvdetect.training.nets import MLP
from tests.cases import Items, digits, quick_net

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
SPARSE = r"X has sparse columns, but dense data is required\. Pass X\.sparse\.to_dense\(\)"


def _fit(X=X, y=Y, kind=LossDetector, net=None, **params):
    return kind(net or quick_net(max_epochs=1), **{"device": "cpu", **params}).fit(X, y)


def _fit_default(X):
    return LossDetector(max_epochs=1, device="cpu").fit(X, Y)


def _with_net(**options):
    return _fit(net=quick_net(**options))


def _with(value):
    changed = X.copy()
    changed[3, 5] = value
    return changed


def _dataset(X=X, y=Y):
    return Items(zip(X, y, strict=False))


SAMPLES = {
    "nothing": (lambda: _fit(None), "X is None. Pass the samples"),
    "number": (lambda: _fit(3), "X is 3. Pass the samples"),
    "text_in_frame": (lambda: _fit(FRAME.assign(town="x", road="y")), r"no number in column\(s\) 'town', 'road'"),
    "text_in_polars": (lambda: _fit(pl.DataFrame({"a": range(N), "b": ["x"] * N})), r"no number in column\(s\) 'b'"),
    "text_in_objects": (
        lambda: _fit(np.array([[1, "a"]] * N, dtype=object)),
        r"column\(s\) 1, such as 'a'\. Make words",
    ),
    "text_in_arrow": (lambda: _fit(pa.table({"a": range(N), "b": ["x"] * N})), r"no number in column\(s\) 'b'"),
    "text_in_dask": (lambda: _fit(dask.from_pandas(FRAME.assign(e="x"), npartitions=2)), r"no number in .* 'e'"),
    "text_of_great_length": (lambda: _fit(FRAME.assign(**{"e" * 9999: "x" * 9999})), "'eee.*eee', such as 'xxx.*xxx'"),
    "categories": (lambda: _fit(FRAME.assign(kind=pd.Categorical(["a", "b"] * 20))), "'kind', such as 'a'"),
    "dates_in_frame": (
        lambda: _fit(FRAME.assign(day=DAY)),
        r"'day', such as Timestamp\('2024.*dates numbers, as",
    ),
    "dates_as_objects": (lambda: _fit(FRAME.assign(day=DAY.date())), r"column\(s\) 'day', such as datetime.date"),
    "durations": (lambda: _fit(FRAME.assign(took=DAY - DAY)), r"column\(s\) 'took', such as Timedelta"),
    "numbers_as_text": (lambda: _fit(X.astype(str)), r"X holds numbers as text\..*dtype=float"),
    "one_name_twice": (lambda: _fit(pd.concat([FRAME, FRAME["a"].map(str)], axis=1)), "of the name 'a'|no number in"),
    "texts": (lambda: _fit(["a cat", "a dog"] * 20), r"words \('a cat', \.\.\.\).*vectors.*load_image_folder"),
    **{
        f"sparse_frame_{fill}": (lambda fill=fill: _fit(FRAME.astype(pd.SparseDtype(float, fill))), SPARSE, TypeError)
        for fill in (0.0, np.nan)
    },
    "sparse": (lambda: _fit(csr_array(X)), "Sparse data was passed for X.*toarray.*TruncatedSVD", TypeError),
    "missing_in_frame": (
        lambda: _fit(FRAME.assign(b=pd.array([1, pd.NA, pd.NA] + [1] * (N - 3)))),
        r"Input X contains NaN in column\(s\) 'b', in 2 of 40 rows, the first of them row 1\. .*SimpleImputer.*out\.$",
    ),
    "missing_in_array": (lambda: _fit([[1.0, NAN], *[[1.0, 2.0]] * (N - 1)]), "in 1 of 40 rows, the first of .* row 0"),
    "rows_of_unequal_length": (
        lambda: _fit([[1, 2], [1]] * 20),
        r"X holds rows of different shapes: \(2,\) in row 0 and \(1,\) in row 1\. Make all rows of one length",
    ),
    "unequal_in_series": (lambda: _fit(pd.Series([X[0], X[1, :9]] * 20)), r"\(64,\) in row 0 and \(9,\) in row 1"),
    "pictures_of_unequal_size": (lambda: _fit([np.ones((8, 8)), np.ones((9, 8))] * 20), "of pictures, one size"),
    "arrays_in_series": (lambda: _fit(pd.Series(list(X))), r"Series of 40 arrays of shape \(64,\)\..*np.stack\(X\)"),
    "pairs": (lambda: _fit(list(zip(X, Y, strict=True)), None), r"pairs \(x, y\)\. Pass .* apart.*a Dataset"),
    "two_inputs": (lambda: _fit((X[:, :32], X[:, 32:])), r"2 arrays of shapes \(40, 32\) and .* one .*concatenate"),
    "samples_and_labels_in_one": (lambda: _fit((X, Y), None), r"shapes \(40, 64\) and \(40,\).*fit\(X, y\)"),
    "records": (lambda: _fit([{"a": 1.0}] * N), r"X is a list of records\..*pandas\.DataFrame\(X\)"),
    "structured": (lambda: _fit(FRAME.to_records()), "X is a recarray of records"),
    "generator": (lambda: _fit(x for x in X), "X is a generator. Pass the samples"),
    "lazy_frame": (lambda: _fit(pl.LazyFrame(X)), r"X is a LazyFrame, which holds no rows yet: pass X\.collect\(\)"),
    "masked": (lambda: _fit(np.ma.masked_array(X, X[3] == X)), "X is a masked array, masked in .* rows, the first of"),
    "masked_in_dataset": (
        lambda: _fit(_dataset(np.ma.masked_array(X, X[0, 0] == X)), None),
        r"X\[0\] is a masked array",
    ),
    "series_of_channels": (
        lambda: _fit_default(np.ones((N, 3, 100))),
        r"X has samples of shape \(3, 100\), which look like series.*MiniRocket.*or X.reshape.*pass X\[:, None\]",
    ),
    "channels_last": (lambda: _fit_default(np.ones((N, 8, 8, 3))), r"shape \(8, 8, 3\).*channels last.*X.transpose"),
    "infinity": (lambda: _fit(_with(np.inf)), "Input X contains infinity"),
    "nan_in_picture": (lambda: _fit_default(_with(NAN).reshape(N, 1, 8, 8)), "Input X contains NaN"),
    "complex": (lambda: _fit(X + 1j), "Complex data not supported"),
    "one_dimension": (lambda: _fit(X[:, 0]), "Expected 2D array, got 1D array"),
    "no_features": (lambda: _fit(X[:, :0]), r"0 feature\(s\).*minimum of 1"),
    "no_samples": (lambda: _fit(X[:0], Y[:0]), r"0 sample\(s\).*minimum of 2"),
    "one_sample": (lambda: _fit(X[:1], Y[:1]), r"1 sample\(s\).*minimum of 2"),
    "one_sample_dataset": (lambda: _fit(_dataset(X[:1]), None), "X holds 1 sample"),
    "too_large": (lambda: _fit(X.astype(float) * 1e300), "X holds values too large for float32"),
    "one_row": (lambda: _fit().score_samples(X[0]), "Expected 2D array, got 1D array"),
}
LABELS = {
    "missing": (lambda: _fit(y=None), "requires y to be passed"),
    "fewer": (lambda: _fit(y=Y[1:]), r"inconsistent numbers of samples: \[40, 39\]"),
    "continuous": (
        lambda: _fit(y=Y + 0.5),
        r"Unknown label type: continuous.*such as 0\.5.*pandas\.cut\(y.*as grades are.*astype\(str\)",
    ),
    "continuous_in_dataset": (lambda: _fit(_dataset(y=Y + 0.5), None), "Unknown label type: continuous"),
    "masked_in_dataset": (
        lambda: _fit(_dataset(y=np.ma.masked_array(Y, np.arange(N) == 3)), None),
        r"the label of X\[3\] is a masked array",
    ),
    "lazy_frame": (lambda: _fit(y=pl.LazyFrame(Y)), r"y is a LazyFrame, which holds no rows yet: pass y\.collect\(\)"),
    "word": (lambda: _fit(y="label"), "y should be a 1d array"),
    "one_name": (lambda: _fit(y=["x" * 9999] * N), r"y holds one class only \(\['xxx.*xxx'\]\)"),
    "none_among_them": (lambda: _fit(y=[None, *Y[1:]]), "Input y contains NaN .*1 of 40 entries.* index 0"),
    "infinite": (
        lambda: _fit(y=[*map(float, Y[:7]), np.inf, *Y[8:]]),
        "infinity.*1 of 40 entries, the first at index 7",
    ),
    "in_a_dict_of_columns": (
        lambda: _fit(X={"label": Y, "x": X[:, 0]}),
        r"such as X\['x'\], .*; if X\['label'\] holds the labels, leave it out of the table, and pass y=X\['label'\]",
        TypeError,
    ),
    "once_each": (lambda: _fit(y=np.arange(N), kind=SSFTDetector), "y holds every label only once"),
    "once_each_in_folds": (lambda: _fit(y=np.arange(N), kind=ConfidentLearningDetector), "cv=5 .* largest in y has 1"),
    "twice_each_in_folds": (lambda: _fit(y=np.arange(N) // 2, kind=ConfidentLearningDetector), "has 2: pass cv=2"),
}
TWO = NeuralNetClassifier(MLP(64, 10, 8), criterion=nn.CrossEntropyLoss, max_epochs=1, iterator_train=DataLoader)
SAMPLED = TWO.set_params(iterator_train__sampler=SubsetRandomSampler(range(N)))
NETS = {
    "learning_rate_word": (lambda: _with_net(lr="x"), "net has lr='x'"),
    "learning_rate_nan": (lambda: _with_net(lr=NAN), "net has lr=nan"),
    "learning_rate_too_high": (lambda: _with_net(lr=1e30), "nan in epoch .*Lower the learn", FloatingPointError),
    "no_batch": (lambda: _with_net(batch_size=0), "net has batch_size=0"),
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
    "no_batch_at_all": (
        lambda: _with_net(batch_size=100, iterator_train=DataLoader, iterator_train__drop_last=True),
        "yields no batch",
    ),
    "lazy_layers": (lambda: _fit(net=nn.Sequential(nn.LazyLinear(10))), "lazy layers"),
    "one_logit": (lambda: _fit(net=nn.Sequential(nn.Linear(64, 1), nn.Flatten(0))), "two of them for two classes"),
    "one_cycle_of_nothing": (lambda: one_cycle(0), "n_epochs must be a whole number, at least 1, got 0"),
    "one_cycle_peak": (lambda: one_cycle(10, peak=3), r"peak must be a share of the epochs in \[0, 1\], got 3"),
    "steps_in_epochs": (lambda: step_decay(300, milestones=[150, 250]), "milestones must be shares of the epochs"),
    "steps_gamma": (lambda: step_decay(300, gamma="x"), "gamma must be a number"),
}
GROUPS = {"samples": SAMPLES, "labels": LABELS, "net": NETS}
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


def test_probabilities_where_logits_are_wanted_are_warned_of():
    net = NeuralNetClassifier(nn.Sequential(MLP(64, 10), nn.Softmax(1)), criterion=nn.CrossEntropyLoss, max_epochs=1)
    with pytest.warns(UserWarning, match="net puts out probabilities.*wants logits.*softmax"):
        _fit(net=net)


@pytest.mark.parametrize("options", [{"criterion__weight": torch.ones(10)}, {"criterion__label_smoothing": 0.1}])
def test_an_input_gradient_of_a_weighted_criterion_is_warned_of(options):
    with pytest.warns(UserWarning, match="plain CrossEntropyLoss"):
        _fit(net=quick_net(max_epochs=1, **options), kind=InputGradientDetector)
