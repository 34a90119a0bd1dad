import numpy as np
import pytest
from torch import nn

from curvdetect import LossDetector, write_report
from tests.review.pages import content_of, fitted


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


def test_what_is_shown_is_no_look_alike_though_it_is_not_flagged(tmp_path):
    detector, X, _ = fitted((4,), q=1)
    detector._rank(np.random.default_rng(0).random(60), 1)
    suspects = content_of(write_report(detector, X, tmp_path / "page.html", k=30))["suspects"]
    assert not {i for row in suspects["alike_given"] for i in row} & set(suspects["index"])


def test_where_all_of_a_class_are_suspect_they_are_look_alikes_of_each_other(tmp_path):
    detector, X, y = fitted((4,), n=8, q=8, classes=("cat", "dog"))
    suspects = content_of(write_report(detector, X, tmp_path / "page.html"))["suspects"]
    for i, alike in zip(suspects["index"], suspects["alike_given"], strict=True):
        assert len(alike) == 3
        assert i not in alike
        assert set(y[alike]) == {y[i]}


def test_rows_shown_as_the_pictures_that_they_are_have_the_same_look_alikes(tmp_path):
    detector, X, _ = fitted((64,))
    rows = content_of(write_report(detector, X, tmp_path / "rows.html"))
    shown = content_of(write_report(detector, X.reshape(-1, 8, 8), tmp_path / "pictures.html"))
    assert (rows["kind"], shown["kind"]) == ("rows", "pictures")
    assert rows["suspects"] == shown["suspects"]
    assert len(shown["suspects"]["alike_given"][0]) == 3


WITHOUT = {
    "no net": lambda d, X: (vars(d).pop("net_"), X)[1],
    "data of another shape": lambda d, X: X.repeat(2, axis=1),
    "data of another scale": lambda d, X: 255 * X,
    "no linear layer": lambda d, X: (setattr(d.net_, "module_", nn.Sequential(nn.Flatten(), nn.Identity())), X)[1],
}


@pytest.mark.parametrize("change", WITHOUT.values(), ids=WITHOUT)
def test_there_is_a_page_without_look_alikes(tmp_path, change):
    detector, X, _ = fitted()
    suspects = content_of(write_report(detector, change(detector, X), tmp_path / "page.html"))["suspects"]
    assert set(suspects) == {"index", "score", "given", "suggested", "shares"}
