"""Pictures as the page holds them: of one array, or of files of any size, mode and state."""

import base64
import io
import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, TensorDataset

from curvdetect import write_report
from tests.review.browsing import opened
from tests.review.pages import fitted


def picture_in(content, index):
    kind, data = content["pictures"][str(index)].split(",")
    assert re.fullmatch(r"data:image/(webp|png|jpeg);base64", kind)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"))


LAYOUTS = {
    "grey": ((8, 8), lambda x: x),
    "one channel": ((1, 8, 8), lambda x: x[0]),
    "with transparency": ((4, 8, 8), lambda x: x[:3].transpose(1, 2, 0)),
    "channels last": ((8, 8, 3), lambda x: x),
    "many channels": ((6, 8, 8), lambda x: x.mean(0)),
    "not square": ((3, 8, 5), lambda x: x.transpose(1, 2, 0)),
}


@pytest.mark.parametrize(("shape", "drawn"), LAYOUTS.values(), ids=LAYOUTS)
def test_small_pictures_are_shown_as_they_are(told, shape, drawn):
    detector, X, _ = fitted(shape)
    dataset = TensorDataset(torch.from_numpy(X), torch.arange(60))
    for samples in (X, (X * 255).astype(np.uint8), dataset):
        content = told(detector, samples, k=4)
        assert content["kind"] == "pictures"
        for i in detector.ranking_[:4]:
            shown, wanted = picture_in(content, i).astype(float) / 255, drawn(X[i])
            wanted = wanted if wanted.ndim == 3 else wanted[..., None]
            assert shown.shape[:2] == wanted.shape[:2]
            assert np.abs(shown - wanted).max() <= 2 / 255


@pytest.mark.parametrize("shape", [(3, 100), (100, 3)])
def test_series_are_drawn_as_lines_each_channel_in_a_lane_by_its_own_range(told, shape):
    detector, X, _ = fitted(shape)
    channels = X if shape[0] == 3 else X.swapaxes(1, 2)  # the same numbers
    channels[:] = np.array([[0], [1000], [-5]]) + np.array([[1e-3], [500], [1]]) * np.linspace(-1, 1, 100)
    content = told(detector, X, k=4)
    for i in detector.ranking_[:4]:
        dark = picture_in(content, i)[..., 0] < 128
        assert dark.shape == (320, 320)
        assert dark.any(0).mean() > 0.95
        for lane in np.array_split(dark, 3):
            first, last = (np.flatnonzero(lane[:, at]).mean() for at in (4, -5))  # counted from above
            assert first > 90
            assert last < 15


def test_large_pictures_become_thumbnails_and_those_of_look_alikes_are_half_as_large(told):
    detector, X, _ = fitted((400, 200), n=30, q=2)
    content = told(detector, X)
    assert picture_in(content, detector.ranking_[0]).shape == (320, 160, 3)
    alike = set(map(int, content["pictures"])) - set(content["suspects"]["index"])
    assert {picture_in(content, i).shape for i in alike} == {(160, 80, 3)}


def test_floats_are_scaled_together_and_many_pictures_are_kept_less_exactly(told, monkeypatch):
    detector, X, _ = fitted((3, 32, 32))
    exact = told(detector, 10 * X - 5, k=60)
    shown = np.stack([picture_in(exact, i) for i in range(60)])
    assert (shown.min(), shown.max()) == (0, 255)
    monkeypatch.setattr("curvdetect.review.thumbnails.EXACT", 10)
    rough = told(detector, X, k=60)
    assert sum(map(len, rough["pictures"].values())) < sum(map(len, exact["pictures"].values())) / 2


@pytest.fixture(scope="module")
def vectors():
    """A detector that was fitted on vectors, and these; the first suspect."""
    detector, X, _ = fitted((5,))
    return detector, X, int(detector.ranking_[0])


def photo(width=30, height=20):
    """Return a picture whose left half is white, and the right one black."""
    picture = Image.new("RGB", (width, height))
    picture.paste("white", (0, 0, width // 2, height))
    return picture


def deep(bits):
    """Return such a picture in so many of 16 bits."""
    return Image.fromarray((np.asarray(photo().convert("L")) > 0).astype(np.uint16) * np.uint16(2**bits - 1))


def turned():
    """Return a picture that lies on its side, and says so."""
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    photo().transpose(Image.Transpose.ROTATE_90).save(file, "jpeg", exif=exif, quality=95)
    return Image.open(file)


PHOTOS = {
    "large": (lambda: photo(640, 400), (320, 200)),
    "upright": (lambda: photo(200, 500), (128, 320)),
    "small": (photo, (30, 20)),
    "turned": (turned, (30, 20)),
    "12 bits": (lambda: deep(12), (30, 20)),
    "16 bits": (lambda: deep(16), (30, 20)),
    **{mode: (lambda mode=mode: photo().convert(mode), (30, 20)) for mode in ("1", "L", "LA", "P", "RGBA", "CMYK")},
}


@pytest.mark.parametrize(("made", "size"), PHOTOS.values(), ids=PHOTOS)
def test_pictures_of_any_size_and_mode_are_shown_in_their_own_size(vectors, told, made, size):
    detector, X, first = vectors
    photos = [photo(40 + i, 40) for i in range(60)]
    photos[first] = made()
    content = told(detector, X, X_display=photos)
    assert content["kind"] == "pictures"
    assert set(map(int, content["pictures"])) > set(detector.ranking_[:12].tolist())
    shown = picture_in(content, first)
    assert shown.shape[:2] == size[::-1]
    middle, third = shown.shape[0] // 2, shown.shape[1] // 3
    assert shown[middle, third].min() > 250 > 5 > shown[middle, -third].max()
    other = int(detector.ranking_[1])
    assert picture_in(content, other).shape[:2] == (40, 40 + other)


class Photos:
    """Pictures that are made when they are asked for, as a class of the user's."""

    def __init__(self, form=lambda picture: picture):
        self.form, self.asked = form, []

    def __len__(self):
        return 60

    def __getitem__(self, i):
        if not 0 <= i < 60:
            raise IndexError(i)
        self.asked.append(i)
        return self.form(photo(70 + i, 30))


class OfTorch(Photos, Dataset):
    """A dataset of torch's."""


class OfPython(Photos, Sequence):
    """A sequence of Python's."""


LAZY = {
    "class": Photos(),
    "torch": OfTorch(lambda picture: (picture, "cat")),
    "python": OfPython(),
    "columns": Photos(lambda picture: {"image": picture, "label": 3}),
}


@pytest.mark.parametrize("photos", LAZY.values(), ids=LAZY)
def test_only_what_is_shown_is_read_and_in_the_order_of_the_data(vectors, told, photos):
    detector, X, _ = vectors
    content = told(detector, X, X_display=photos, k=2)
    shown = set(map(int, content["pictures"]))
    assert shown >= set(detector.ranking_[:2].tolist())
    assert all(picture_in(content, i).shape[1] == 70 + i for i in shown)
    assert photos.asked[-len(shown) :] == sorted(shown)
    assert len({*photos.asked} - shown) <= 16  # they say what all of them are


def unreadable(error):
    def form(picture):
        if picture.width % 2:
            raise error
        return picture

    return form


GONE = {
    "file": unreadable(FileNotFoundError("no cat.png")),
    "content": unreadable(SyntaxError("broken PNG file")),
    "nothing": lambda picture: None if picture.width % 2 else picture,
    "real numbers": lambda picture: picture.convert("F") if picture.width % 2 else picture,
    "all": lambda picture: Image.open("no/such/file.png"),
}


@pytest.mark.parametrize("form", GONE.values(), ids=GONE)
def test_a_picture_that_can_not_be_read_now_is_missing(vectors, told, form):
    detector, X, _ = vectors
    with pytest.warns(UserWarning, match=r"pictures can't be read, .* as missing. The first is X_display\[\d+\] \("):
        pictures = told(detector, X, X_display=Photos(form), k=60)["pictures"]
    assert len(pictures) == 60
    gone = {i for i in range(60) if pictures[str(i)] is None}
    assert gone
    assert (len(gone) == 60) == (form is GONE["all"])


def test_many_pictures_are_smaller(vectors, told, monkeypatch):
    detector, X, first = vectors
    monkeypatch.setattr("curvdetect.review.thumbnails.PIXELS", 12 * 64**2)
    content = told(detector, X, X_display=[photo(640, 640)] * 60)
    assert picture_in(content, first).shape == (64, 64, 3)


@pytest.mark.browser
def test_pictures_in_their_own_size_on_the_page(browser, vectors, tmp_path):
    detector, X, first = vectors
    photos = [photo(400 + i, 200) for i in range(60)]
    photos[detector.ranking_[1]] = None
    with pytest.warns(UserWarning, match="1 of .* as missing"):
        path = write_report(detector, X, tmp_path / "page.html", X_display=photos)
    with opened(browser, path) as page:
        size = "image => image.decode().then(() => [image.naturalWidth, image.naturalHeight])"
        for place in ("[data-number='0'] img", "#detail .large img"):
            assert page.locator(place).evaluate(size) == [320, round(320 * 200 / (400 + first))]
        page.click("[data-number='1'] button")
        for place in ("[data-number='1'] .look", "#detail > .look"):
            assert page.locator(place).inner_text() == "picture missing"
