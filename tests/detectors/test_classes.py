"""Classes that were hardly meant are warned of, and no others."""

from __future__ import annotations

import unicodedata
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import TensorDataset

from curvdetect import LossDetector
from curvdetect.detectors.explaining import names_alike, names_joined, warn_of_classes
from tests.cases import quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
CAFE = "caf\u00e9"
ALIKE = {
    "case": ["cat", "Cat"],
    "blank_that_breaks_no_line": ["ice cream", "ice\xa0cream"],
    "no_blank": ["New York", "NewYork"],
    "line_end": ["cat", "cat\r"],
    "mark_of_a_file": ["cat", "\ufeffcat"],
    "no_width": ["cat", "cat\u200b"],
    "all_at_once": [CAFE, " " + unicodedata.normalize("NFD", CAFE.upper())],
    "nothing_but_blanks": ["", " "],
    "bytes": [b"cat", b"Cat "],
    "last_mark": ["cat", "cat.", "Cat ;"],
    "quotes": ["cat", "'cat'", '"Cat"', "\u201ccat\u201d"],
}
APART = {
    "no_text": [1, 2, 10, False, True],
    "words": ["cat", "dog", "cats"],
    "numbers_as_text": ["1", "01", "1.0", "10"],
    "dashes": ["a-b", "ab", "a_b"],
    "bytes": [b"\xff", b"\xfe"],
    "accents": ["cafe", CAFE],
    "marks_that_are_names": [".", ",", ":", "''", "``"],
    "marks_that_mean_something": ["C", "C#", "C++", "WP", "WP$", "yes", "yes!", "yes?"],
}


@pytest.mark.parametrize("names", ALIKE.values(), ids=ALIKE)
def test_names_that_differ_by_form_alone_are_found(names):
    assert names_alike([*names, *([b"other"] if isinstance(names[0], bytes) else ["other"])]) == [names]


@pytest.mark.parametrize("names", APART.values(), ids=APART)
def test_other_names_stay_apart(names):
    assert names_alike(names) == []


NAMES = np.array(["ant", "ant ", "bee", "Bee"])[np.arange(40) % 4]
X = np.random.default_rng(0).standard_normal((40, 5)).astype(np.float32)
HOLDERS = {
    "bytes": (X, NAMES.astype("S")),
    "category": (X, pd.Series(NAMES, dtype="category")),
    "polars": (X, pl.Series(NAMES)),
    "dataset": (TensorDataset(torch.from_numpy(X)), NAMES),
}


def _fit(X, y):
    return LossDetector(quick_net(5, len(set(y)), max_epochs=1), device="cpu").fit(X, y)


@pytest.mark.parametrize(("data", "labels"), HOLDERS.values(), ids=HOLDERS)
def test_whatever_holds_names_alike_the_caller_is_warned(data, labels):
    with pytest.warns(UserWarning, match=r"differ by case.*'Bee', b?'bee'; b?'ant', b?'ant '.*str\.strip") as caught:
        _fit(data, labels)
    assert [warning.filename for warning in caught if "differ by case" in str(warning.message)] == [__file__]


def test_names_that_look_the_same_are_shown_by_their_characters():
    with pytest.warns(UserWarning, match=r"'caf\\xe9', 'cafe\\u0301'"):
        warn_of_classes(np.array([CAFE, unicodedata.normalize("NFD", CAFE)]), 100)


def test_many_long_names_make_a_short_warning():
    names = [form(f"{i}{'x' * 999}") for i in range(50) for form in (str.upper, str.lower, str.title, "{} ".format)]
    with pytest.warns(UserWarning, match="differ by case") as caught:
        warn_of_classes(np.array(names), len(names))
    assert max(len(str(warning.message)) for warning in caught) <= 400


FEW = {
    "one_each": np.arange(500),
    "an_amount": np.random.default_rng(0).normal(100, 60, 400).astype(int),
    "some_of_many_and_many_of_one": np.r_[np.repeat(np.arange(5), 60), np.arange(5, 305)],
}
ENOUGH = {
    "a_hundred_classes_of_four": np.repeat(np.arange(100), 4),
    "a_long_tail": np.r_[np.zeros(300), np.repeat(np.arange(1, 100), 2)],
    "two_classes_of_three": np.repeat([0, 1], 3),
    "one_sample_astray": np.r_[np.zeros(9), 1],
    "names_that_may_be_meant": np.repeat(["NA", "none", "nana", "unknown", "0"], 20),
}


@pytest.mark.parametrize("labels", FEW.values(), ids=FEW)
def test_nearly_as_many_classes_as_samples_are_warned_of(labels):
    classes = np.unique(labels)
    with pytest.warns(UserWarning, match=rf"y holds {len(classes)} classes in {len(labels)} samples, fewer than 3"):
        warn_of_classes(classes, len(labels))


@pytest.mark.parametrize("labels", ENOUGH.values(), ids=ENOUGH)
def test_other_classes_are_in_order(labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_classes(np.unique(labels), len(labels))


@pytest.mark.parametrize("name", ["?", b"?", "", "NaN", " n/a", "<NA>", "NULL"])
def test_a_class_of_missing_labels_is_warned_of(name):
    with pytest.warns(UserWarning, match=r"y holds a class of the name .* missing labels are written.*leave these"):
        warn_of_classes(np.array([name, b"ant" if isinstance(name, bytes) else "ant"]), 100)


@pytest.mark.parametrize(
    "name", ["cat|dog", "cat#dog", "dog, cat", '["cat", "dog"]', "['cat']", '{"choices": ["cat", "dog"]}']
)
def test_a_class_of_several_labels_is_warned_of(name):
    with pytest.warns(UserWarning, match=r"y holds class names that read as several labels: .*one detector for each"):
        warn_of_classes(np.array(["cat", "dog", name]), 100)


@pytest.mark.parametrize(
    "names",
    [
        ["C", "C#"],
        ["C", "C++", "C/C++"],
        ["1", "2", "1/2"],
        ["a", "a|a"],
        ["['a']", "['b']"],
        ["cat", "cat/dog"],
        ["1", "1,5"],
        ["|", "a|", "a"],
        ["[old]", "{x}"],
    ],
)
def test_names_with_marks_are_not_several_labels(names):
    assert names_joined(names) == []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_classes(np.array(names), 100)


@pytest.mark.parametrize(
    "classes", [[-1, 0, 1, 2], [-100, 0, 1], [-100, 0, 2, 9], [-1.0, 0.0, 1.0, 2.0, 3.0], ["-1", "a", "b", "c"]]
)
def test_what_marks_samples_without_a_label_is_warned_of(classes):
    with pytest.warns(
        UserWarning, match=rf"y holds the class {float(classes[0]):.0f} beside .* leave them out \(y != '?-1"
    ):
        warn_of_classes(np.array(classes), 100)


@pytest.mark.parametrize(
    "classes",
    [[-1, 1], [-1, 0, 1], ["-1", "0", "1"], ["-", "a", "b", "c"], [-2, -1, 0, 1, 2], [0, 1, 2, 3], [-5, 0, 1, 2]],
)
def test_other_numbers_below_zero_are_classes(classes):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_classes(np.array(classes), 100)


def test_categories_are_classes_in_the_order_of_text_whatever_their_own():
    stages = pd.Categorical(np.array(["P7", "P14", "P21"])[np.arange(40) % 3], categories=["P7", "P14", "P21"])
    assert _fit(X, pd.Series(stages)).classes_.tolist() == ["P14", "P21", "P7"]
