"""What the page is told of a ranking, and that nothing in its file can run."""

import base64
import hashlib
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from curvdetect import LossDetector, write_report
from curvdetect.review.report import PAGE, SCRIPTS, SHOWN, as_json
from tests.review.pages import HOSTILE, content_of, fitted


@pytest.fixture(scope="module")
def pictures():
    return fitted()


def test_the_page_is_told_what_the_ranking_says(pictures, tmp_path):
    detector, X, _ = pictures
    path = tmp_path / "new" / "page.html"
    for k in (1, 7):  # the second in the place of the first
        assert write_report(detector, X, path, k=k, title="Mine & <yours>", note="Two <i>more") == path
    assert [p.name for p in path.parent.iterdir()] == ["page.html"]
    content, table = content_of(path), detector.ranking(7)
    suspects = content["suspects"]
    classes = np.array(content["classes"])
    assert suspects["index"] == table["index"].tolist()
    assert suspects["score"] == table["score"].tolist()
    for name in ("given", "suggested"):
        assert classes[suspects[name]].tolist() == table[name].tolist()
    assert (content["n_samples"], content["detector"], content["title"]) == (60, "LossDetector", "Mine & <yours>")
    assert "<title>Mine &amp; &lt;yours&gt;</title>" in path.read_text()
    assert content["note"] == "Two <i>more"
    assert "path" not in suspects


def test_a_share_is_the_part_of_the_samples_that_a_signal_finds_at_most_as_suspect(tmp_path):
    detector, X, _ = fitted()
    detector.signal_scores_["gap"] = np.where(np.arange(60) == detector.ranking_[0], np.nan, detector.scores_)
    content = content_of(write_report(detector, X, tmp_path / "page.html", k=60))
    assert content["signals"] == list(detector.signal_scores_)
    *shares, with_a_gap = content["suspects"]["shares"]
    for name, shown in zip(content["signals"], shares, strict=False):
        scores = detector.signal_scores_[name]
        below = [((scores < scores[i]).sum() + ((scores == scores[i]).sum() + 1) / 2) / 60 for i in detector.ranking_]
        assert np.allclose(shown, below, atol=1e-6)
    assert with_a_gap[:2] == [None, 1.0]


def test_how_many_are_shown(pictures, tmp_path):
    def n_shown(detector, X, **options):
        return len(content_of(write_report(detector, X, tmp_path / "page.html", **options))["suspects"]["index"])

    assert [n_shown(*pictures[:2], k=k) for k in (None, 3, 1000)] == [12, 3, 60]
    assert n_shown(*fitted((2,), n=SHOWN + 60, q=SHOWN + 50)[:2]) == SHOWN


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
    text = as_json(dict.fromkeys(HOSTILE))
    assert json.loads(text) == dict.fromkeys(HOSTILE)
    assert text.isascii()
    assert not set("<>&\n\r\0") & set(text)


def test_verdicts_are_known_again_on_the_same_labels(tmp_path):
    def identity(**options):
        detector, X, _ = fitted(**options)
        return content_of(write_report(detector, X, tmp_path / "page.html"))["id"]

    first = identity()
    assert identity(random_state=1, q=5) == first
    assert identity(classes=("cat", "dog", "wolf")) != first
    assert identity(n=61) != first


def test_paths_of_any_kind_are_text(pictures, tmp_path):
    detector, X, _ = pictures
    paths = pd.Series([b"caf\xe9", tmp_path, "x/y"] * 20, index=np.arange(60)[::-1])
    shown = content_of(write_report(detector, X, tmp_path / "page.html", paths=paths, k=60))["suspects"]["path"]
    assert shown == [["caf\udce9", str(tmp_path), "x/y"][i % 3] for i in detector.ranking_]


REFUSALS = {
    "other data": ({"X": np.ones((7, 8, 8))}, ValueError, "X has 7 entries"),
    "too few paths": ({"paths": ["a"]}, ValueError, "paths has 1 entries"),
    "k of zero": ({"k": 0}, ValueError, "k must be None or a whole number"),
    "no detector": ({"detector": SimpleNamespace(scores_=[])}, TypeError, "write_report needs a fitted detector"),
    "not fitted": ({"detector": LossDetector()}, ValueError, "not fitted"),
    "a folder": ({"path": "."}, IsADirectoryError, "is a folder"),
}


@pytest.mark.parametrize(("change", "error", "message"), REFUSALS.values(), ids=REFUSALS)
def test_refusals(pictures, tmp_path, change, error, message):
    detector, X, _ = pictures
    with pytest.raises(error, match=message):
        write_report(**{"detector": detector, "X": X, "path": tmp_path / "page.html", **change})
    assert list(tmp_path.iterdir()) == []


def test_the_policy_lets_only_this_style_and_this_script_in(pictures, tmp_path):
    detector, X, _ = pictures
    text = write_report(detector, X, tmp_path / "page.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert (rules["default-src"], rules["img-src"]) == ("'none'", "data:")
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"""(?:src|href)=["'](?!data:)|\son\w+=|\sstyle=|https?:|@import|url\(""", text)


def test_scripts_parse_no_markup_and_no_code():
    files = {path.name: path.read_text() for path in PAGE.iterdir()}
    assert set(files) == {"page.html", "page.css", *(f"{name}.js" for name in SCRIPTS)}
    scripts = "".join(text for name, text in files.items() if name.endswith(".js"))
    forbidden = r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|DOMParser|</"
    assert re.findall(forbidden, scripts) == []
