"""What is wrong with ``X`` or odd about ``y``, in words that name what to pass instead.

The messages of scikit-learn, numpy and pandas are not shown: they name no column, and list every type that numpy knows.
"""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sized
from itertools import filterfalse, islice
from typing import SupportsFloat

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.utils import assert_all_finite

from curvdetect.data.labels import ONE_EACH
from curvdetect.data.types import Array
from curvdetect.data.wording import brief, callers_level, named

#: Characters of another library's message that are shown.
_LONGEST = 300
#: Arrays in a list that may be several inputs, rather than samples.
_INPUTS = 10
#: Samples a class, on average, below which a ranking says little: at two of them the average precision of planted wrong
#: labels was about half of that at three, in clouds that overlap and in clouds that don't.
FEW = 3
#: Names of missing labels in files: of ARFF, pandas, spreadsheets and databases. NA and none are names of classes, too.
MISSING = {"", "?", "nan", "<na>", "n/a", "#n/a", "null"}
#: Marks behind a word, and quotes around it, which name no other class.
_AROUND = re.compile(r"(?<=[^\W\d_])[.,;:'\"\u2018-\u201d]+$|^['\"\u2018-\u201d]+(?=[^\W\d_])")
#: Marks between several labels in one text, and how a list or a record of them begins.
_BETWEEN, _LIST = ("|", ";", ",", "#"), re.compile(r"\s*[\[{]\s*['\"]")
#: Marks of samples without a label, and how many classes there have to be beside them.
_BESIDE = {"-1": 3, "-100": 2}
#: Characters of names of classes that are shown.
_WIDTH = 180


def in_words(error: Exception, X: object, y: object) -> Exception:
    """Return an error that explains one of scikit-learn's about ``X``; the same one where it is clear."""
    text = str(error)
    if "Complex data" in text:
        return ValueError("X is complex. Complex data not supported: pass its real and imaginary parts.")
    if hasattr(X, "columns") and ("Sparse data" in text or "fill value" in text):
        return TypeError("X has sparse columns, but dense data is required. Pass X.sparse.to_dense().")
    if "Sparse data" in text:
        return TypeError(f"{text} In a pipeline, TruncatedSVD before the detector makes it dense.")
    wrong = _wrong(X, y, text) or no_number(X) or _unequal(X)
    if wrong is None and "bytes/strings" in text:
        wrong = "X holds numbers as text. Pass them as numbers: np.asarray(X, dtype=float)."
    if wrong is None and len(text) > _LONGEST:
        wrong = f"X can't be read as an array of numbers: {text[:_LONGEST]}..."
    if wrong is None:
        return error
    if isinstance(error, TypeError) and not hasattr(X, "columns"):  # scikit-learn's check_estimator wants these words
        return TypeError(f"{wrong} ({text[:100]})")
    return ValueError(wrong)


def _wrong(X: object, y: object, text: str) -> str | None:
    """Say what ``X`` is rather than an array of rows, beside an error's text; None where it is none of the known."""
    kind, first, listed = type(X).__name__, _first(X), X if isinstance(X, list | tuple) else ()
    if "unique column names" in text and hasattr(X, "columns"):
        names = named(X.columns[X.columns.duplicated()].unique())
        return f"X has several columns of the name {names}. Give each a name of its own, or pass X.to_numpy()."
    if isinstance(first, str | bytes):
        word = brief(first.item() if isinstance(first, np.generic) else first)
        return (
            f"X holds words ({word}, ...). Pass numbers: vectors of texts, such as embeddings, or as "
            "make_pipeline(skrub.StringEncoder(), detector) makes them of a Series; for files of pictures the result "
            "of load_image_folder, or a Dataset."
        )
    pair = first if listed and isinstance(first, list | tuple) else ()
    if len(pair) == 2 and _is_several(pair[0]) and not _is_several(pair[1]):
        return (
            f"X is a {kind} of pairs (x, y). Pass samples and labels apart, X, y = map(list, zip(*pairs)), or a "
            "Dataset that yields such pairs."
        )
    if 1 < len(listed) <= _INPUTS and all(getattr(part, "ndim", 0) > 0 for part in listed):
        n_samples = len(listed[0]) if y is None else len(y) if isinstance(y, Sized) and not isinstance(y, str) else 0
        if n_samples != len(listed) and all(len(part) == n_samples for part in listed):
            shapes = " and ".join(str(tuple(part.shape)) for part in listed[:3]) + (" ..." if len(listed) > 3 else "")
            return (
                f"X is a {kind} of {len(listed)} arrays of shapes {shapes}. Pass one array: join several inputs, as by "
                "np.concatenate(X, axis=1), and pass labels apart, as in fit(X, y)."
            )
    if "Expected 2D array" not in text:
        return None
    if isinstance(first, Mapping | np.void):
        return f"X is a {kind} of records. Pass a table made of them: pandas.DataFrame(X)."
    return (
        f"X has one dimension: Expected 2D array, got 1D array of {len(np.asarray(X))} entries. Reshape your data: "
        "np.reshape(X, (-1, 1)) is one column, np.reshape(X, (1, -1)) one sample."
    )


def _is_several(value: object) -> bool:
    """Say whether a value is an array, a list or a picture."""
    return isinstance(value, list | tuple | Image.Image) or getattr(value, "ndim", 0) > 0


def no_number(X: object) -> str | None:
    """Say which columns hold entries that are not numbers."""
    if not isinstance(X, pd.DataFrame):
        try:
            X = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
        except ValueError:  # rows of unequal length
            return None
        X = pd.DataFrame(X if X.ndim == 2 else None)
    columns = [(name, column) for name, column in X.items() if column.dtype.kind not in "biuf"]
    found = {name: entry for name, column in columns for entry in islice(filterfalse(_is_number, column), 1)}
    if not found:
        return None
    value = next(iter(found.values()))
    return (
        f"X holds entries that are no number in column(s) {named(found)}, such as {brief(value)}. Make words, "
        "categories and dates numbers, as make_pipeline(skrub.TableVectorizer(), detector) does, or leave them out."
    )


def _is_number(value: object) -> bool:
    """Say whether an entry is a number, text that reads as one, or missing."""
    if value is None or value is pd.NA:
        return True
    if _is_several(value) or not isinstance(value, str | bytes | SupportsFloat):
        return False
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _unequal(X: object) -> str | None:
    """Say which row has another shape than the first, or how to make one array of arrays of one shape."""
    if not isinstance(X, Iterable) or not _is_several(_first(X)):
        return None
    shapes = [
        tuple(row.shape) if hasattr(row, "shape") else (len(row),) if hasattr(row, "__len__") else () for row in X
    ]
    other = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if other is not None:
        return (
            f"X holds rows of different shapes: {shapes[0]} in row 0 and {shapes[other]} in row {other}. Make all rows "
            "of one length: pad or cut them; of pictures, one size."
        )
    return f"X is a {type(X).__name__} of {len(shapes)} arrays of shape {shapes[0]}. Make one of them: np.stack(X)."


def _first(X: object) -> object:
    """Return the first row of data of one dimension."""
    if not isinstance(X, Iterable) or hasattr(X, "columns") or getattr(X, "ndim", 1) != 1:
        return None
    return next(iter(X), None)


def where_missing(X: object) -> str:
    """Return which columns of a frame and which rows miss numbers."""
    array = np.asarray(X)
    missing = pd.isna(array).reshape(len(array), -1)
    names = [name for name, gaps in zip(getattr(X, "columns", []), missing.T, strict=False) if gaps.any()]
    columns = f"column(s) {named(names)}, in " if names else ""
    rows = np.flatnonzero(missing.any(axis=1))
    return f"{columns}{len(rows)} of {len(missing)} rows, the first of them row {rows[0]}"


def check_discrete(classes: Array) -> None:
    """Raise where classes are numbers with decimals: a quantity rather than labels."""
    if classes.dtype.kind != "f":
        return
    assert_all_finite(classes, input_name="y")
    fractions = classes[classes % 1 != 0].tolist()
    if fractions:
        raise ValueError(
            f"Unknown label type: continuous. y holds numbers with decimals, such as {fractions[0]}. Make classes of "
            "a quantity: y = pandas.cut(y, 3, labels=False). Where each number is a class, as grades are, make them "
            "text: y = np.asarray(y).astype(str)."
        )


def warn_of_classes(classes: Array, n_samples: int) -> None:
    """Warn where names of classes differ by form alone or say missing, and where there is nearly a class a sample."""
    names, doubts = classes.tolist(), []
    if alike := names_alike(names):
        doubts.append(
            f"y holds class names that differ by case, blanks, a last mark, quotes or Unicode form alone: "
            f"{_shown(alike)}. Each is a class of its own. Where they are one class, give it one name (str.strip, "
            "str.casefold, unicodedata.normalize)."
        )
    if several := names_listed(names) or names_joined(names):
        doubts.append(
            f"y holds class names that read as several labels: {named(several)}. Each combination is a class of its "
            f"own. Where a sample has several labels, {ONE_EACH}, where lists holds those of each "
            "and Y = MultiLabelBinarizer().fit_transform(lists)."
        )
    if missing := [repr(name) for name in names if isinstance(name, str | bytes) and _bare(name) in MISSING]:
        doubts.append(
            f"y holds a class of the name {' and one of '.join(missing)}, as missing labels are written. If they are "
            "missing, leave these samples out: the network learns them as a class like any other."
        )
    for mark in _unlabelled(classes):
        doubts.append(
            f"y holds the class {mark} beside {brief([name for name in names if name != mark])}: {mark} often marks "
            f"samples without a label. If it does here, leave them out (y != {mark!r}): the network learns them as a "
            "class like any other."
        )
    if n_samples < FEW * len(names):
        doubts.append(
            f"y holds {len(names)} classes in {n_samples} samples, fewer than {FEW} samples a class. Where hardly "
            "another sample has the same label, little tells whether it is wrong, and the ranking means little. Pass "
            "classes, not numbers of rows or a quantity; merge rare ones, or leave them out."
        )
    for doubt in doubts:
        warnings.warn(doubt, UserWarning, stacklevel=callers_level())


def _unlabelled(classes: Array) -> list[int | str]:
    """Return by what scikit-learn, datasets or torch mark samples without a label, if it is a class.

    Of -1, 0 and 1 it is more likely a class.
    """
    known = {int(one) if isinstance(one, float) and one % 1 == 0 else one for one in classes.tolist()}
    below = [one for one in known if str(one).startswith("-")]
    return [one for one in below if len(below) == 1 and len(known) > _BESIDE.get(str(one), len(known))]


def names_alike(names: list[object]) -> list[list[str | bytes]]:
    """Return the groups of names that differ by case, blanks, a last mark, quotes or Unicode form alone.

    Only text is a name.

    >>> names_alike(["cat", "Cat ", "dog", "New York", "NewYork", "1 2", "12"])
    [['cat', 'Cat '], ['New York', 'NewYork']]
    """
    groups: dict[str, list[str | bytes]] = {}
    for name in names:
        if isinstance(name, str | bytes):
            groups.setdefault(_bare(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def names_joined(names: list[object]) -> list[str]:
    """Return the names that join those of other classes by a mark.

    >>> names_joined(["cat", "dog", "cat|dog", "cat; dog", "bird/dog"])
    ['cat|dog', 'cat; dog']
    """
    known = {name.strip() for name in names if isinstance(name, str)}
    split = [
        (name, set(map(str.strip, name.split(mark)))) for name in names if isinstance(name, str) for mark in _BETWEEN
    ]
    return list(dict.fromkeys(name for name, parts in split if len(parts) > 1 and parts <= known))


def names_listed(names: list[object]) -> list[str]:
    """Return the names that are lists or records of labels, unless each holds one label alone.

    >>> names_listed(["['cat']", "['cat', 'dog']"]), names_listed(["['cat']", "['dog']"])
    (["['cat']", "['cat', 'dog']"], [])
    """
    found = [name for name in names if isinstance(name, str) and _LIST.match(name)]
    return found if len(found) < len(names) or any("," in name for name in found) else []


def _bare(name: str | bytes) -> str:
    """Return a name without case, blanks, last marks, quotes and Unicode form; a blank between two numbers stays."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else name
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(text.replace("\u200b", " ").replace("\ufeff", " ").split())
    return _AROUND.sub("", re.sub(r"(?<!\d) | (?!\d)", "", words))


def _shown(groups: list[list[str | bytes]]) -> str:
    """Return the first groups of names, at most three and fewer of long ones, each spelled differently."""
    each = []
    for names in groups[:3]:
        looks = {unicodedata.normalize("NFKC", name) if isinstance(name, str) else name for name in names}
        shown = [brief(name) if len(looks) == len(names) else ascii(name)[:50] for name in names[:3]]
        each.append(", ".join(shown) + (", ..." if len(names) > 3 else ""))
    while len(each) > 1 and sum(map(len, each)) > _WIDTH:
        each.pop()
    return "; ".join(each) + ("; ..." if len(each) < len(groups) else "")
