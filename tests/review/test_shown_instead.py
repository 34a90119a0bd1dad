"""What a page shows instead of what was fitted: texts, tables and pictures behind vectors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from torch.utils.data import TensorDataset

from curvdetect import write_report
from tests.review.pages import content_of, fitted

TEXTS = [f"{i} is what it says" for i in range(60)]


@pytest.fixture(scope="module")
def vectors():
    """A detector that was fitted on vectors, and these."""
    detector, X, _ = fitted((5,))
    return detector, X


def shown(vectors, tmp_path, X_display, **options):
    detector, X = vectors
    return content_of(write_report(detector, X, tmp_path / "page.html", X_display=X_display, **options))


def everybody(content):
    """Return the positions of suspects and look-alikes, of which there are some."""
    suspects, alike = content["suspects"]["index"], content["suspects"]["alike_given"]
    assert sum(map(len, alike)) > 0
    positions = {*suspects, *(i for row in alike + content["suspects"]["alike_suggested"] for i in row)}
    assert len(positions) > len(suspects)
    return sorted(positions)


KINDS = {
    "list": list,
    "array": np.array,
    "array of objects": lambda texts: np.array(texts, dtype=object),
    "series": lambda texts: pd.Series(texts, index=range(100, 160)),
    "series of polars": pl.Series,
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_texts_are_shown_with_those_of_look_alikes(vectors, tmp_path, kind):
    content = shown(vectors, tmp_path, kind(TEXTS))
    assert content["kind"] == "texts"
    assert content["texts"] == {str(i): TEXTS[i] for i in everybody(content)}


def test_texts_that_are_missing_are_empty_and_long_ones_are_cut(vectors, tmp_path):
    first, second = (int(i) for i in vectors[0].ranking_[:2])
    texts: list[str | None] = list(TEXTS)
    texts[first], texts[second] = None, "long " * 1000
    content = shown(vectors, tmp_path, texts)
    assert content["texts"][str(first)] == ""
    assert content["texts"][str(second)] == ("long " * 400)[:1999] + "…"


def test_a_table_is_shown_as_it_was_before_it_was_encoded(vectors, tmp_path):
    frame = pd.DataFrame({"n": range(60), "word": TEXTS, "gap": [np.nan, 0.5] * 30}, index=range(7, 67))
    content = shown(vectors, tmp_path, frame)
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", ["n", "word", "gap"], 3)
    assert content["rows"] == {str(i): [i, TEXTS[i], 0.5 if i % 2 else ""] for i in everybody(content)}


def test_a_table_of_polars_keeps_its_columns(vectors, tmp_path):
    content = shown(vectors, tmp_path, pl.DataFrame({"n": range(60), "word": TEXTS}))
    assert content["columns"] == ["n", "word"]
    assert content["rows"] == {str(i): [i, TEXTS[i]] for i in everybody(content)}


PICTURES = np.random.default_rng(0).integers(0, 255, (60, 8, 8), dtype=np.uint8)


@pytest.mark.parametrize(
    "pictures", [PICTURES, TensorDataset(torch.from_numpy(PICTURES), torch.arange(60))], ids=["array", "dataset"]
)
def test_pictures_are_shown_of_which_the_vectors_were_made(vectors, tmp_path, pictures):
    content = shown(vectors, tmp_path, pictures)
    assert content["kind"] == "pictures"
    assert sorted(map(int, content["pictures"])) == everybody(content)


def test_texts_in_the_place_of_vectors_have_no_look_alikes(vectors, tmp_path):
    content = content_of(write_report(vectors[0], TEXTS, tmp_path / "page.html"))
    assert content["texts"] == {str(i): TEXTS[i] for i in content["suspects"]["index"]}
    assert "alike_given" not in content["suspects"]


def test_what_is_shown_changes_nothing_else(vectors, tmp_path):
    plain, texts = (shown(vectors, tmp_path, what) for what in (None, TEXTS))
    assert (plain["id"], plain["suspects"]) == (texts["id"], texts["suspects"])


WRONG = {
    "shorter": (TEXTS[1:], ValueError, "X_display has 59 entries, but the detector was fitted on 60 samples"),
    "path": ("photos", TypeError, "X_display is the str 'photos'"),
    "by name": ({"text": TEXTS}, TypeError, r"X_display is a dict with keys 'text'.*X_display\['text'\]"),
    "loader": (torch.utils.data.DataLoader(TEXTS), TypeError, "X_display is a DataLoader"),
}


@pytest.mark.parametrize(("given", "error", "said"), WRONG.values(), ids=WRONG)
def test_what_can_not_be_shown_is_named(vectors, tmp_path, given, error, said):
    with pytest.raises(error, match=said):
        shown(vectors, tmp_path, given)
    assert list(tmp_path.iterdir()) == []
