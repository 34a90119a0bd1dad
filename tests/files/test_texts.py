"""Tables of words, dates and texts: from a file that pandas wrote to a ranking, and back into a corrected file."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from curvdetect import LeaveOneOutDetector, corrupt_labels, read_data
from curvdetect.features.texts import encoder_of
from curvdetect.review.shown import shown_as
from tests.cli.conftest import write_verdicts
from tests.files.test_columns import mixed


def write(path: Path, frame: pd.DataFrame, labels) -> Path:
    """Write a table as pandas does."""
    table = frame.assign(label=labels)
    if path.suffix == ".parquet":
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, quoting=2, lineterminator="\r\n")
    return path


FRAMES = {
    "mixed.csv": lambda frame: frame,
    "mixed.parquet": lambda frame: frame.assign(
        kind=frame["kind"].astype("category"), day=pd.to_datetime(frame["day"])
    ),
    "texts.csv": lambda frame: frame[["text"]],
    "several.csv": lambda frame: frame[["text"]].assign(title=frame["text"].str.slice(0, 12)),
}


@pytest.mark.parametrize("name", FRAMES)
def test_planted_wrong_labels_are_found_and_put_right(run, tmp_path, name):
    if name.endswith(".parquet"):
        pytest.importorskip("pyarrow")
    frame, true = mixed(200)
    labels, wrong = corrupt_labels(true, rate=0.05, random_state=0)
    frame = FRAMES[name](frame)
    path = write(tmp_path / name, frame, labels)
    data = read_data(path)
    detector = LeaveOneOutDetector(device="cpu", random_state=0).fit(data.X, data.y)
    found = detector.ranking(int(wrong.sum()))
    assert wrong[found["index"]].mean() >= 0.9
    if name == "texts.csv":
        assert data.shown == frame["text"].tolist() == shown_as(data.shown)
    else:
        assert list(data.shown) == list(frame)
        assert data.shown.iloc[:, -1].tolist() == frame.iloc[:, -1].tolist()
    rows = [[i, "", given, "", "wrong", true[i]] for i, given in found[["index", "given"]].itertuples(index=False)]
    verdicts = write_verdicts(tmp_path / "verdicts.csv", *rows)
    new = tmp_path / f"new{path.suffix}"
    assert run("apply", verdicts, "--to", path, "--out", new).exit_code == 0
    labels[found["index"]] = true[found["index"]]
    assert new.read_bytes() == write(tmp_path / f"wanted{path.suffix}", frame, labels).read_bytes() or (
        path.suffix == ".parquet" and pd.read_parquet(new).equals(frame.assign(label=labels))
    )


def test_a_scan_shows_texts_and_a_report_finds_them_again_in_another_order(run, page, tmp_path):
    frame, y = mixed(60)
    frame["text"] += [f" {7919 * i % 1009}" for i in range(60)]  # the same words in another order are copies
    path = write(tmp_path / "t.csv", frame[["text"]], y)
    call = ("scan", path, "--out", tmp_path / "found", "--detector", "leave-one-out", "--device", "cpu")
    result = run(*call)
    assert result.exit_code == 0, result.stderr
    assert page[0]["X_display"] == frame["text"].tolist()
    write(path, frame[["text"]][::-1], y[::-1])
    result = run("report", tmp_path / "found")
    assert result.exit_code == 0, result.stderr
    assert page[1]["X_display"] == page[0]["X_display"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The embeddings of wordllama's wheel, as a folder of model2vec."""
    model2vec, wordllama = pytest.importorskip("model2vec"), pytest.importorskip("wordllama")
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    inside, folder = Path(wordllama.__file__).parent, tmp_path_factory.mktemp("model")
    (vectors,) = load_file(inside / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(inside / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    model2vec.StaticModel(vectors.astype(np.float32), tokenizer).save_pretrained(folder)
    return f"model2vec:{folder}"


@pytest.mark.meets("model2vec", "wordllama")
def test_a_model_finds_wrong_labels_of_texts_without_a_word_in_common(run, page, tmp_path, model):
    """A scan of texts by a `StaticModel` in a folder: exchanged labels are among the first five."""
    animals = ["cat", "dog", "horse", "lion", "tiger", "wolf", "rabbit", "cow", "sheep", "goat", "fox", "mouse"]
    food = ["bread", "cheese", "rice", "apple", "soup", "butter", "cake", "sugar", "pasta", "pizza", "honey", "milk"]
    texts = [f"the {word} was there" for word in [*animals, *food]]
    y = np.repeat(["animal", "food"], len(animals))
    labels = y.copy()
    labels[[3, 20]] = y[[20, 3]]
    path = write(tmp_path / "t.csv", pd.DataFrame({"text": texts, "n": 1}), labels)
    call = ("scan", path, "--out", tmp_path / "found", "--detector", "leave-one-out", "--device", "cpu")
    result = run(*call, "--features", model, "--q", 2)
    assert result.exit_code == 0, result.stderr
    assert f"embedding the texts by {model} ..." in result.stderr
    assert page[0]["X"].shape == (24, 257)
    assert {3, 20} <= set(page[0]["detector"].ranking(5)["index"])
    assert run("report", tmp_path / "found", "--quiet").exit_code == 0
    assert page[1]["X"].equals(page[0]["X"])
    write(path, pd.DataFrame({"text": texts[:12] * 2}), y)  # few texts, which are often
    assert read_data(path, features=model).X.shape == (24, 256)
    write(path, pd.DataFrame({"text": texts}), y)
    compared = run("compare", path, "--features", model, "--rate", 0.1, "--epochs", 1, "--device", "cpu", "--quiet")
    assert (compared.exit_code, "recommended: fused" in compared.stdout) == (0, True)


def test_a_model_of_sentence_transformers_embeds_all_different_texts_once(monkeypatch):
    seen = []

    class Model:
        def __init__(self, name):
            assert name == "some/name"

        def encode(self, texts, **options):
            seen.append(texts)
            return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    monkeypatch.setitem(sys.modules, "sentence_transformers", SimpleNamespace(SentenceTransformer=Model))
    assert encoder_of("sentence-transformers:some/name")(["ab"]).tolist() == [[2, 1]]


@pytest.mark.parametrize("library", ["model2vec", "sentence-transformers"])
def test_a_library_or_model_that_is_missing_is_named(monkeypatch, library):
    monkeypatch.setitem(sys.modules, library.replace("-", "_"), None)
    with pytest.raises(ImportError, match=rf"features=.{library}:x. needs {library}: pip install {library}"):
        encoder_of(f"{library}:x")
    monkeypatch.undo()
    pytest.importorskip(library.replace("-", "_"))
    with pytest.raises(ValueError, match=r"could not be loaded .* Without a connection, pass the folder of a model"):
        encoder_of(f"{library}:/nowhere/at-all")
