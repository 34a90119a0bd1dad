import base64
import hashlib
import io
import json
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

from curvdetect import ConfidentLearningDetector, LossDetector, write_report
from curvdetect.review.rendering import _PAGE, SCRIPTS, as_json
from curvdetect.review.report import SHOWN
from tests.cases import quick_net
from tests.review.pages import HOSTILE, content_of, fitted


@pytest.fixture(scope="module")
def pictures():
    return fitted()


def picture_in(content, index):
    kind, data = content["pictures"][str(index)].split(",")
    assert re.fullmatch(r"data:image/(webp|png|jpeg);base64", kind)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


def test_the_page_is_told_what_the_ranking_says(pictures, tmp_path):
    detector, X, _ = pictures
    path = write_report(detector, X, tmp_path / "new" / "page.html", k=7, title="Mine & <yours>")
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


LAYOUTS = {
    "grey": ((8, 8), lambda x: x),
    "one channel": ((1, 8, 8), lambda x: x[0]),
    "three channels": ((3, 8, 8), lambda x: x.transpose(1, 2, 0)),
    "with transparency": ((4, 8, 8), lambda x: x[:3].transpose(1, 2, 0)),
    "channels last": ((8, 8, 3), lambda x: x),
    "many channels": ((6, 8, 8), lambda x: x.mean(0)),
    "not square": ((3, 8, 5), lambda x: x.transpose(1, 2, 0)),
}


@pytest.mark.parametrize(
    "kind", [np.asarray, torch.from_numpy, lambda X: (X * 255).astype(np.uint8)], ids=["floats", "tensor", "bytes"]
)
@pytest.mark.parametrize(("shape", "drawn"), LAYOUTS.values(), ids=LAYOUTS)
def test_small_pictures_are_shown_as_they_are(tmp_path, shape, drawn, kind):
    detector, X, _ = fitted(shape)
    content = content_of(write_report(detector, kind(X), tmp_path / "page.html", k=4))
    assert content["kind"] == "pictures"
    for i in detector.ranking_[:4]:
        shown = picture_in(content, i).astype(float) / 255
        wanted = drawn(X[i])
        wanted = wanted if wanted.ndim == 3 else wanted[..., None]
        assert shown.shape[:2] == wanted.shape[:2]
        assert np.abs(shown - wanted).max() <= 2 / 255


def test_floats_beyond_the_unit_range_are_scaled_together(tmp_path):
    detector, X, _ = fitted()
    content = content_of(write_report(detector, 10 * X - 5, tmp_path / "page.html", k=60))
    shown = np.stack([picture_in(content, i) for i in range(60)])
    assert (shown.min(), shown.max()) == (0, 255)


def test_large_pictures_become_thumbnails(tmp_path):
    detector, X, _ = fitted((1, 30, 20))
    large = np.kron(X, np.ones((1, 1, 20, 20), dtype=np.float32))
    content = content_of(write_report(detector, large, tmp_path / "page.html", k=2))
    assert picture_in(content, detector.ranking_[0]).shape == (256, 171, 3)


def test_a_dataset_is_shown_too(tmp_path):
    detector, X, _ = fitted()
    dataset = TensorDataset(torch.from_numpy(X), torch.arange(60))
    content = content_of(write_report(detector, dataset, tmp_path / "page.html", k=2))
    assert picture_in(content, detector.ranking_[0]).shape == (8, 8, 3)


def test_rows_keep_their_columns(tmp_path):
    detector, X, _ = fitted((3,))
    content = content_of(write_report(detector, pd.DataFrame(X, columns=["a", "<b>", "c"]), tmp_path / "page.html"))
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", ["a", "<b>", "c"], 3)
    i = detector.ranking_[0]
    assert content["rows"][str(i)] == pytest.approx(X[i], rel=1e-4)
    assert content_of(write_report(detector, X, tmp_path / "page.html"))["columns"] == ["0", "1", "2"]


def test_wide_tables_are_cut(tmp_path, monkeypatch):
    monkeypatch.setattr("curvdetect.review.looks.CELLS", 1_000)
    detector, X, _ = fitted((40,))
    content = content_of(write_report(detector, X, tmp_path / "page.html"))
    assert content["n_columns"] == 40
    assert len(content["columns"]) == len(content["rows"][str(detector.ranking_[0])]) < 40


def test_samples_that_are_neither_are_listed_all_the_same(tmp_path):
    detector, X, _ = fitted((2, 3, 4, 5))
    content = content_of(write_report(detector, X, tmp_path / "page.html"))
    assert content["kind"] == "nothing"
    assert "pictures" not in content


def test_look_alikes_are_the_nearest_of_each_class_that_are_not_suspect(tmp_path):
    rng = np.random.default_rng(1)
    y = np.arange(60) % 3
    X = (np.eye(3)[y] * 4 + rng.random((60, 3))).astype(np.float32)
    net = nn.Sequential(nn.Identity(), nn.Linear(3, 3))  # its features are the data
    detector = LossDetector(net, q=10, max_epochs=1, stop_at=0.01, device="cpu", random_state=0).fit(X, y)
    content = content_of(write_report(detector, X, tmp_path / "page.html"))
    suspects = content["suspects"]
    for number, i in enumerate(suspects["index"]):
        for name, code in {"alike_given": y[i], "alike_suggested": suspects["suggested"][number]}.items():
            clear = np.flatnonzero((y == code) & (detector.labels_ == 0))
            nearest = clear[np.argsort(((X[clear] - X[i]) ** 2).sum(1))][:3]
            assert suspects[name][number] == nearest.tolist()
            assert all(str(j) in content["rows"] for j in nearest)


def test_where_all_of_a_class_are_suspect_they_are_look_alikes_of_each_other(tmp_path):
    detector, X, y = fitted((4,), n=8, q=8, classes=("cat", "dog"))
    suspects = content_of(write_report(detector, X, tmp_path / "page.html"))["suspects"]
    for i, alike in zip(suspects["index"], suspects["alike_given"], strict=True):
        assert len(alike) == 3
        assert i not in alike
        assert set(y[alike]) == {y[i]}


WITHOUT = {
    "no net": lambda d, X: (vars(d).pop("net_"), X)[1],
    "data of another shape": lambda d, X: X.repeat(2, axis=1),
    "no linear layer": lambda d, X: (setattr(d.net_, "module_", nn.Sequential(nn.Flatten(), nn.Identity())), X)[1],
}


@pytest.mark.parametrize("change", WITHOUT.values(), ids=WITHOUT)
def test_there_is_a_page_without_look_alikes(tmp_path, change):
    detector, X, _ = fitted()
    suspects = content_of(write_report(detector, change(detector, X), tmp_path / "page.html"))["suspects"]
    assert set(suspects) == {"index", "score", "given", "suggested", "shares"}


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


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_json_has_nothing_that_html_reads(name):
    text = as_json({name: name})
    assert json.loads(text) == {name: name}
    assert text.isascii()
    assert not set("<>&\n\r\0") & set(text)


def test_the_policy_lets_only_this_style_and_this_script_in(pictures, tmp_path):
    detector, X, _ = pictures
    text = write_report(detector, X, tmp_path / "page.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"""(?:src|href)=["'](?!data:)|\son\w+=|\sstyle=|https?:|@import|url\(""", text)


def test_scripts_parse_no_markup_and_no_code():
    files = {path.name: path.read_text() for path in _PAGE.iterdir()}
    assert set(files) == {"page.html", "page.css", *(f"{name}.js" for name in SCRIPTS)}
    for name, text in files.items():
        assert len(text.splitlines()) < 300, name
        if name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|DOMParser", text
            )
            assert "</" not in text


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
