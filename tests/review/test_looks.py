import base64
import io
import re
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from torch.utils.data import TensorDataset

from curvdetect import write_report
from tests.review.pages import content_of, fitted


def picture_in(content, index):
    kind, data = content["pictures"][str(index)].split(",")
    assert re.fullmatch(r"data:image/(webp|png|jpeg);base64", kind)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


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


def test_look_alikes_are_half_as_large(tmp_path):
    detector, X, _ = fitted((300, 150), n=30, q=2)
    content = content_of(write_report(detector, X, tmp_path / "page.html"))
    assert picture_in(content, detector.ranking_[0]).shape == (256, 128, 3)
    alike = set(map(int, content["pictures"])) - set(content["suspects"]["index"])
    assert {picture_in(content, i).shape for i in alike} == {(128, 64, 3)}


def test_many_pictures_are_kept_less_exactly(tmp_path, monkeypatch):
    detector, X, _ = fitted((3, 32, 32))
    exact = content_of(write_report(detector, X, tmp_path / "page.html"))["pictures"]
    monkeypatch.setattr("curvdetect.review.looks.EXACT", 10)
    rough = content_of(write_report(detector, X, tmp_path / "page.html"))["pictures"]
    assert sum(map(len, rough.values())) < sum(map(len, exact.values())) / 2


def test_a_dataset_is_shown_too(tmp_path):
    detector, X, _ = fitted()
    dataset = TensorDataset(torch.from_numpy(X), torch.arange(60))
    content = content_of(write_report(detector, dataset, tmp_path / "page.html", k=2))
    assert picture_in(content, detector.ranking_[0]).shape == (8, 8, 3)


def test_an_array_is_copied_once(tmp_path):
    detector, X, _ = fitted((3, 100, 100))
    tracemalloc.start()
    write_report(detector, X, tmp_path / "page.html", k=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * X.nbytes


def test_rows_keep_their_columns(tmp_path):
    detector, X, _ = fitted((3,))
    content = content_of(write_report(detector, pd.DataFrame(X, columns=["a", "<b>", "c"]), tmp_path / "page.html"))
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", ["a", "<b>", "c"], 3)
    i = detector.ranking_[0]
    assert content["rows"][str(i)] == pytest.approx(X[i], rel=1e-4)
    assert content_of(write_report(detector, X, tmp_path / "page.html"))["columns"] == ["0", "1", "2"]


def test_a_frame_is_shown_with_its_words_and_gaps_as_it_is(tmp_path):
    detector, _, _ = fitted((3,))
    i = int(detector.ranking_[0])
    frame = pd.DataFrame(
        {"age": np.full(60, np.nan), "town": ["<b>Köln"] * 60, "n": range(60), "x": np.full(60, 1 / 3)}
    )
    frame["ok"], frame["ratio"] = True, np.inf
    frame["day"], frame["time"] = pd.Timestamp("2024-01-31"), pd.Timestamp("2024-01-31 10:20")
    frame.index = [f"patient {i}" for i in range(60)]
    content = content_of(write_report(detector, frame, tmp_path / "page.html"))
    assert (content["kind"], content["columns"], content["n_columns"]) == ("rows", list(frame), 8)
    assert content["rows"][str(i)] == ["", "<b>Köln", i, 0.33333, "True", "inf", "2024-01-31", "2024-01-31 10:20:00"]
    assert "alike_given" not in content["suspects"]


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
