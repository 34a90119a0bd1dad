"""Probabilities of a model of the user's own, beside samples or labels alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from curvdetect import ConfidentLearningDetector, FusedDetector, read_data
from curvdetect.metrics import auroc
from tests.written import write_pictures

rng = np.random.default_rng(0)
CLASSES = np.array(["cat", "dog", "eel"])
TRUE = CLASSES[np.arange(60) % 3]
LABELS = np.where(np.arange(60) % 10 == 0, np.roll(TRUE, 1), TRUE)
WRONG = LABELS != TRUE
PROBS = 0.1 + 0.7 * (TRUE[:, None] == CLASSES)
PROBS = PROBS / PROBS.sum(1, keepdims=True)


def _as_table(path, order=(0, 1, 2), **others):
    frame = pd.DataFrame(PROBS, columns=CLASSES).iloc[:, list(order)].assign(**others)
    if path.suffix == ".parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    else:
        frame.to_csv(path, sep="\t" if path.suffix == ".tsv" else ",", index=bool(others))


WAYS = {
    "p.npy": lambda path: np.save(path, PROBS.astype(np.float32)),
    "p.npz": lambda path: np.savez(path, PROBS),
    "named.npz": lambda path: np.savez(path, other=LABELS, pred_probs=PROBS),
    "p.csv": _as_table,
    "turned.csv": lambda path: _as_table(path, (2, 0, 1), note="words"),
    "p.tsv": _as_table,
    "p.parquet": lambda path: _as_table(path, (1, 0, 2)),
    "plain.csv": lambda path: np.savetxt(path, PROBS, delimiter=","),
    "numbered.csv": lambda path: pd.DataFrame(PROBS).to_csv(path, index=False),
}
ALONE = {
    "y.csv": lambda path: pd.DataFrame({"label": LABELS}).to_csv(path, index=False),
    "numbered.csv": lambda path: pd.DataFrame({"id": np.arange(60) + 7, "label": LABELS}).to_csv(path),
    "y.txt": lambda path: path.write_text("\n".join(LABELS)),
    "y.npy": lambda path: np.save(path, LABELS),
    "y.npz": lambda path: np.savez(path, LABELS),
}


@pytest.mark.parametrize("name", WAYS)
def test_files_of_probabilities(tmp_path, name):
    pd.DataFrame({"label": LABELS}).to_csv(tmp_path / "y.csv", index=False)
    WAYS[name](tmp_path / name)
    data = read_data(tmp_path / "y.csv", probs=tmp_path / name)
    assert np.allclose(data.pred_probs, PROBS, atol=1e-6)
    assert (data.alone, data.label, data.y.tolist()) == (True, "label", LABELS.tolist())


@pytest.mark.parametrize("name", ALONE)
def test_labels_alone_are_ranked_by_probabilities(tmp_path, name):
    ALONE[name](tmp_path / name)
    np.save(tmp_path / "p.npy", PROBS)
    data = read_data(tmp_path / name, probs=tmp_path / "p.npy")
    assert list(data.X.columns) == CLASSES.tolist()
    detector = ConfidentLearningDetector(device="cpu").fit(data.X, data.y, pred_probs=data.pred_probs)
    assert auroc(WRONG, detector.scores_) == 1
    some = read_data(tmp_path / name, probs=tmp_path / "p.npy", limit=20)
    assert np.array_equal(some.pred_probs, data.pred_probs[some.rows])
    if name != "numbered.csv":  # whose numbers would be trained on, with a warning
        with pytest.raises(ValueError, match=r"by probs=|pass probs="):
            read_data(tmp_path / name)


def test_probabilities_stay_with_their_pictures_when_some_are_broken(tmp_path):
    write_pictures(tmp_path / "photos", n=4)
    (tmp_path / "photos" / "cat" / "1.png").write_bytes(b"no picture")
    probs = np.column_stack([np.linspace(0, 0.7, 8), 1 - np.linspace(0, 0.7, 8)])
    np.save(tmp_path / "p.npy", probs)
    data = read_data(tmp_path / "photos", probs=tmp_path / "p.npy", size=8)
    assert data.paths == [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(4) if (name, i) != ("cat", 1)]
    assert np.allclose(data.pred_probs, np.delete(probs, 1, axis=0))
    assert np.allclose(data.at(np.array([6, 0])).pred_probs, probs[[7, 0]])


def test_numbers_that_name_pictures_are_no_labels_alone(tmp_path):
    write_pictures(tmp_path / "photos", n=6)
    pictures = sorted((tmp_path / "photos").rglob("*.png"))
    for i, path in enumerate(pictures):
        path.rename(tmp_path / f"{i}.png")
    pd.DataFrame({"id": range(12), "label": ["cat"] * 6 + ["dog"] * 6}).to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "3.png").unlink()
    probs = np.column_stack([np.linspace(0, 0.7, 12), 1 - np.linspace(0, 0.7, 12)])
    np.save(tmp_path / "p.npy", probs)
    data = read_data(tmp_path / "t.csv", probs=tmp_path / "p.npy", size=8)
    assert (data.alone, data.X.shape) == (False, (11, 3, 8, 8))
    assert np.allclose(data.pred_probs, np.delete(probs, 3, axis=0))


def test_classes_that_no_sample_has_are_left_out(tmp_path):
    rows = np.arange(12)
    pd.DataFrame({"x": rows % 5, "label": [*"abcdefghijkl"]}).to_csv(tmp_path / "t.csv", index=False)
    probs = np.full((12, 12), 1 / 24) + np.eye(12) / 2
    probs[0] = np.eye(12)[11]
    np.save(tmp_path / "p.npy", probs)
    data = read_data(tmp_path / "t.csv", probs=tmp_path / "p.npy", limit=4)
    assert data.pred_probs.shape == (4, 4)
    assert np.allclose(data.pred_probs.sum(1), 1)
    again = FusedDetector(signals=["pred_probs"], max_epochs=1, device="cpu", random_state=0)
    assert again.fit(data.X, data.y, pred_probs=data.pred_probs).scores_.shape == (4,)


REFUSED = {
    "other rows": ("p.npy", lambda path: np.save(path, PROBS[1:]), r"probs= 'p.npy' has shape \(59, 3\)"),
    "other classes": ("p.csv", lambda path: path.write_text("a,b,c\n" + "1,0,0\n" * 60), "no column for 'cat', 'dog'"),
    "logits": ("p.npy", lambda path: np.save(path, np.log(PROBS)), "probs= 'p.npy' must hold probabilities .*softmax"),
    "several": ("p.npz", lambda path: np.savez(path, a=PROBS, b=PROBS), "holds 'a', 'b': name one of them pred_probs"),
    "other kinds": ("p.json", lambda path: path.write_text("[]"), "is none of .npy, .npz, .csv"),
    "nothing": ("p.npy", lambda path: None, "is no file"),
    "torn": ("p.npz", lambda path: path.write_bytes(b"PK"), "can't be read as an .npz"),
    "torn later": ("p.npz", lambda path: path.write_bytes(b"PK\3\4" + bytes(90)), "can't be read as an .npz"),
    "objects": ("p.npy", lambda path: np.save(path, np.array([{}] * 60)), "can't be read as an .npy"),
}


@pytest.mark.parametrize(("name", "write", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_wrong_with_files_of_probabilities_is_said(tmp_path, name, write, message):
    pd.DataFrame({"label": LABELS}).to_csv(tmp_path / "y.csv", index=False)
    write(tmp_path / name)
    with pytest.raises(ValueError, match=message):
        read_data(tmp_path / "y.csv", probs=tmp_path / name)
