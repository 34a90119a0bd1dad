import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from curvdetect import ConfidentLearningDetector, LossDetector, write_report
from curvdetect.review.report import SHOWN
from tests.cases import quick_net
from tests.review.pages import HOSTILE, content_of, fitted


@pytest.fixture(scope="module")
def pictures():
    return fitted()


def test_the_page_is_told_what_the_ranking_says(pictures, tmp_path):
    detector, X, _ = pictures
    path = write_report(detector, X, tmp_path / "new" / "page.html", k=7, title="Mine & <yours>", note="Two <i>more")
    assert path == tmp_path / "new" / "page.html"
    content, table = content_of(path), detector.ranking(7)
    suspects = content["suspects"]
    classes = np.array(content["classes"])
    assert suspects["index"] == table["index"].tolist()
    assert suspects["score"] == table["score"].tolist()
    assert classes[suspects["given"]].tolist() == table["given"].tolist()
    assert classes[suspects["suggested"]].tolist() == table["suggested"].tolist()
    assert (content["n_samples"], content["detector"], content["title"]) == (60, "LossDetector", "Mine & <yours>")
    assert "<title>Mine &amp; &lt;yours&gt;</title>" in path.read_text()
    assert content["note"] == "Two <i>more"
    assert "path" not in suspects


def test_a_share_is_the_part_of_the_samples_that_a_signal_finds_at_most_as_suspect(pictures, tmp_path):
    detector, X, _ = pictures
    content = content_of(write_report(detector, X, tmp_path / "page.html", k=60))
    assert content["signals"] == list(detector.signal_scores_)
    for name, shares in zip(content["signals"], content["suspects"]["shares"], strict=True):
        scores = detector.signal_scores_[name]
        below = [((scores < scores[i]).sum() + ((scores == scores[i]).sum() + 1) / 2) / 60 for i in detector.ranking_]
        assert np.allclose(shares, below, atol=1e-6)


def test_a_signal_that_is_no_number_has_no_share(tmp_path):
    detector, X, _ = fitted()
    detector.signal_scores_ = {"loss": np.where(np.arange(60) == detector.ranking_[0], np.nan, detector.scores_)}
    shares = content_of(write_report(detector, X, tmp_path / "page.html"))["suspects"]["shares"][0]
    assert shares[0] is None
    assert shares[1] == 1.0


@pytest.mark.parametrize(
    ("k", "n"), [(None, 12), (3, 3), (1000, 60)], ids=["those flagged", "so many", "all there are"]
)
def test_how_many_are_shown(pictures, tmp_path, k, n):
    detector, X, _ = pictures
    assert len(content_of(write_report(detector, X, tmp_path / "page.html", k=k))["suspects"]["index"]) == n


def test_of_very_many_flagged_the_first_are_shown(tmp_path):
    detector, X, _ = fitted((2,), n=SHOWN + 60, q=SHOWN + 50)
    assert len(content_of(write_report(detector, X, tmp_path / "page.html"))["suspects"]["index"]) == SHOWN


def test_a_detector_of_another_kind(tmp_path):
    _, X, y = fitted((64,))
    detector = ConfidentLearningDetector(quick_net(64, 3), cv=2, q=5, device="cpu", random_state=0).fit(X, y)
    content = content_of(write_report(detector, X, tmp_path / "page.html"))
    assert len(content["suspects"]["index"]) == 5


LABELS = {
    "numbers": (np.array([3, -1, 7]), ["-1", "3", "7"]),
    "booleans": (np.array([True, False]), ["False", "True"]),
    "bytes": (np.array([b"cat", b"dog"]), ["b'cat'", "b'dog'"]),
    "dates": (np.array(["2020-01-01", "2021-01-01"], dtype="M8[D]"), ["2020-01-01", "2021-01-01"]),
}


@pytest.mark.parametrize(("classes", "texts"), LABELS.values(), ids=LABELS)
def test_labels_of_any_kind_are_text(tmp_path, classes, texts):
    detector, X, _ = fitted((2,), classes=classes)
    assert content_of(write_report(detector, X, tmp_path / "page.html"))["classes"] == texts


def test_what_is_hostile_arrives_as_it_was_and_is_no_markup(tmp_path):
    detector, X, _ = fitted((2,), n=4 * len(HOSTILE), classes=np.array(HOSTILE, dtype=object))
    names = np.resize(HOSTILE, len(X)).tolist()
    path = write_report(detector, X, tmp_path / "page.html", paths=names, k=len(X), title="".join(HOSTILE))
    content = content_of(path)
    assert content["classes"] == sorted(HOSTILE)
    assert content["suspects"]["path"] == [names[i] for i in detector.ranking_]
    assert content["title"] == "".join(HOSTILE)
    text = path.read_text(encoding="utf-8")
    assert text.count("<script") == text.count("</script") == 2
    assert "window.ran" not in re.sub(r"<title>.*?</title>|<script type.*?</script", "", text, flags=re.DOTALL)


def test_verdicts_are_known_again_on_the_same_labels(tmp_path):
    def identity(**options):
        detector, X, _ = fitted(**options)
        return content_of(write_report(detector, X, tmp_path / "page.html"))["id"]

    first = identity()
    assert identity(random_state=1, q=5) == first
    assert identity(classes=("cat", "dog", "wolf")) != first
    assert identity(n=61) != first


def test_what_was_there_is_replaced(pictures, tmp_path):
    detector, X, _ = pictures
    path = tmp_path / "page.html"
    path.write_text("old")
    assert write_report(detector, X, str(path)).read_text().startswith("<!doctype html>")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


def test_paths_of_any_kind_are_text(tmp_path):
    detector, X, _ = fitted()
    paths = pd.Series([b"caf\xe9", tmp_path, "x/y"] * 20, index=np.arange(60)[::-1])
    shown = content_of(write_report(detector, X, tmp_path / "page.html", paths=paths, k=60))["suspects"]["path"]
    texts = ["caf\udce9", str(tmp_path), "x/y"]
    assert shown == [texts[i % 3] for i in detector.ranking_]


REFUSALS = {
    "other data": ({"X": lambda X: X[:7]}, ValueError, "X has 7 entries"),
    "too few paths": ({"paths": ["a"]}, ValueError, "paths has 1 entries"),
    "k of zero": ({"k": 0}, ValueError, "k must be None or a whole number"),
    "k of a half": ({"k": 0.5}, ValueError, "k must be None or a whole number"),
    "no detector": ({"detector": SimpleNamespace(scores_=[])}, TypeError, "write_report needs a detector"),
    "not fitted": ({"detector": LossDetector()}, ValueError, "not fitted"),
    "a folder": ({"path": "."}, IsADirectoryError, "is a folder"),
}


@pytest.mark.parametrize(("change", "error", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(pictures, tmp_path, change, error, message):
    detector, X, _ = pictures
    arguments = {"detector": detector, "X": X, "path": tmp_path / "page.html", **change}
    if callable(arguments["X"]):
        arguments["X"] = arguments["X"](X)
    with pytest.raises(error, match=message):
        write_report(**arguments)
    assert list(tmp_path.iterdir()) == []
