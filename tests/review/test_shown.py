"""What the page is told of samples: pictures, rows and texts as they are, or others instead, and look-alikes."""

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from curvdetect import LossDetector
from tests.review.pages import fitted

TEXTS = [f"{i} is what it says" for i in range(60)]
PICTURES = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)


def test_rows_keep_their_columns_and_wide_ones_are_cut(told, monkeypatch):
    detector, X, _ = fitted((40,))
    names = [f"<b>{i}" for i in range(40)]
    content, plain = told(detector, pd.DataFrame(X, columns=names)), told(detector, X)
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", names, 40)
    assert plain["columns"] == [str(i) for i in range(40)]
    assert plain["rows"] == content["rows"]
    row = str(detector.ranking_[0])
    assert content["rows"][row] == pytest.approx(X[int(row)], rel=1e-4)
    monkeypatch.setattr("curvdetect.review.shown.CELLS", 1_000)
    cut = told(detector, X)
    assert cut["n_columns"] == 40
    assert cut["rows"][row] == plain["rows"][row][: len(cut["columns"])]
    assert len(cut["columns"]) < 40


def test_a_frame_is_shown_with_its_words_and_gaps_as_it_is(told):
    detector, _, _ = fitted((3,))
    i = int(detector.ranking_[0])
    frame = pd.DataFrame({"age": np.full(60, np.nan), "town": ["<b>Köln"] * 60, "n": range(60), "x": 1 / 3})
    frame["ok"], frame["ratio"] = True, np.inf
    frame["day"], frame["time"] = pd.Timestamp("2024-01-31"), pd.Timestamp("2024-01-31 10:20")
    frame.index = [f"patient {i}" for i in range(60)]
    content = told(detector, frame)
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", list(frame), 8)
    assert content["rows"][str(i)] == ["", "<b>Köln", i, 0.33333, "True", "inf", "2024-01-31", "2024-01-31 10:20:00"]
    assert "alike_given" not in content["suspects"]


def test_samples_that_are_neither_are_listed_all_the_same(told):
    detector, X, _ = fitted((2, 3, 4, 5))
    content = told(detector, X)
    assert content["kind"] == "nothing"
    assert "pictures" not in content


def test_a_page_without_suspects_shows_nothing(told):
    for shape, kind in (((3,), "rows"), ((8, 8), "pictures"), ((3, 100), "pictures")):
        detector, X, _ = fitted(shape)
        detector.labels_[:] = 0
        assert told(detector, X)[kind] == {}


@pytest.fixture(scope="module")
def vectors():
    """A detector that was fitted on vectors, and these."""
    return fitted((5,))[:2]


def everybody(content):
    """Return the positions of suspects and look-alikes."""
    suspects = content["suspects"]
    positions = {*suspects["index"], *np.concatenate(suspects["alike_given"] + suspects["alike_suggested"]).tolist()}
    assert len(positions) > len(suspects["index"])
    return sorted(positions)


def frame(made):
    return made({"n": range(60), "word": TEXTS})


ROWS = {i: [i, text] for i, text in enumerate(TEXTS)}
INSTEAD = {
    "list": (list(TEXTS), "texts", dict(enumerate(TEXTS))),
    "array": (np.array(TEXTS), "texts", dict(enumerate(TEXTS))),
    "series": (pd.Series(TEXTS, index=range(100, 160)), "texts", dict(enumerate(TEXTS))),
    "series of polars": (pl.Series(TEXTS), "texts", dict(enumerate(TEXTS))),
    "table": (frame(pd.DataFrame).set_index(pd.RangeIndex(7, 67)), "rows", ROWS),
    "table of polars": (frame(pl.DataFrame), "rows", ROWS),
    "pictures": (PICTURES, "pictures", None),
    "dataset": (TensorDataset(torch.from_numpy(PICTURES), torch.arange(60)), "pictures", None),
}


@pytest.mark.parametrize(("X_display", "kind", "expected"), INSTEAD.values(), ids=INSTEAD)
def test_other_samples_are_shown_instead_and_nothing_else_changes(vectors, told, X_display, kind, expected):
    content, plain = told(*vectors, X_display=X_display), told(*vectors)
    assert content["kind"] == kind
    assert sorted(map(int, content[kind])) == everybody(content)
    if expected:
        assert content[kind] == {str(i): expected[i] for i in everybody(content)}
    assert content.get("columns", ["n", "word"]) == ["n", "word"]
    assert (plain["id"], plain["suspects"]) == (content["id"], content["suspects"])


def test_texts_that_are_missing_are_empty_and_long_ones_are_cut(vectors, told):
    first, second = (int(i) for i in vectors[0].ranking_[:2])
    texts: list[str | None] = list(TEXTS)
    texts[first], texts[second] = None, "long " * 1000
    shown = told(*vectors, X_display=texts)["texts"]
    assert (shown[str(first)], shown[str(second)]) == ("", ("long " * 400)[:1999] + "…")


WRONG = {
    "shorter": (TEXTS[1:], ValueError, "X_display has 59 entries, but the detector was fitted on 60 samples"),
    "by name": ({"text": TEXTS}, TypeError, r"X_display is a dict with keys 'text'.*X_display\['text'\]"),
}


@pytest.mark.parametrize(("given", "error", "said"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_shown_is_named(vectors, told, tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        told(*vectors, X_display=given)
    assert list(tmp_path.iterdir()) == []


def test_look_alikes_are_the_nearest_of_each_class_that_are_not_suspect(told):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 3
    X = (np.eye(3)[y] * 4 + rng.random((60, 3))).astype(np.float32)
    net = nn.Sequential(nn.Identity(), nn.Linear(3, 3))  # its features are the data
    detector = LossDetector(net, q=10, max_epochs=1, stop_at=0.01, device="cpu", random_state=0).fit(X, y)
    content = told(detector, X)
    suspects = content["suspects"]
    for number, i in enumerate(suspects["index"]):
        for name, code in {"alike_given": y[i], "alike_suggested": suspects["suggested"][number]}.items():
            clear = np.flatnonzero((y == code) & (detector.labels_ == 0))
            nearest = clear[np.argsort(((X[clear] - X[i]) ** 2).sum(1))][:3]
            assert suspects[name][number] == nearest.tolist()
            assert all(str(j) in content["rows"] for j in nearest)


def test_a_sample_on_the_page_is_no_look_alike_save_where_its_whole_class_is_suspect(told):
    detector, X, _ = fitted((4,), q=1)
    detector._rank(np.random.default_rng(0).random(60), 1)
    suspects = told(detector, X, k=30)["suspects"]
    assert not {i for row in suspects["alike_given"] for i in row} & set(suspects["index"])
    detector, X, y = fitted((4,), n=8, q=8, classes=("cat", "dog"))
    suspects = told(detector, X)["suspects"]
    for i, alike in zip(suspects["index"], suspects["alike_given"], strict=True):
        assert len(alike) == 3
        assert i not in alike
        assert set(y[alike]) == {y[i]}


WITHOUT = {
    "texts": lambda d, X: TEXTS,
    "no net": lambda d, X: (vars(d).pop("net_"), X)[1],
    "data of another shape": lambda d, X: X.repeat(2, axis=1),
    "data of another scale": lambda d, X: 255 * X,
    "no linear layer": lambda d, X: (setattr(d.net_, "module_", nn.Sequential(nn.Flatten(), nn.Identity())), X)[1],
}


@pytest.mark.parametrize("change", WITHOUT.values(), ids=WITHOUT)
def test_there_is_a_page_without_look_alikes(told, change):
    detector, X, _ = fitted()
    assert set(told(detector, change(detector, X))["suspects"]) == {"index", "score", "given", "suggested", "shares"}
