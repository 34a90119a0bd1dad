"""A column of words as numbers: by the parts of words in it, or as a pretrained model of texts embeds them."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin

from curvdetect.data.wording import ContentError, short, spelled

#: What turns a list of texts into an array with a row for each.
Encode: TypeAlias = Callable[[list[str]], NDArray[np.float32]]
#: Numbers for a word, such as a name, and for a text. Measured by benchmarks/texts.py.
FOR_WORDS, FOR_TEXTS = 30, 100
#: Words of an entry, on average, from which entries are texts.
LEAST_WORDS = 3
#: Different entries from which parts of words are learned, and entries that are encoded at once.
LEARNED, AT_ONCE = 20_000, 10_000

#: Share of the largest deviation below which numbers are rounding.
_ROUNDING = 1e-4


class ColumnOfWords(TransformerMixin, BaseEstimator):
    """Turn a column of words or texts, which may miss some, into numbers.

    ``encode`` turns a list of texts into an array. Without it, skrub's StringEncoder makes numbers from parts of words.
    Each entry counts once, however often it is in the column, and their order does not matter.
    """

    def __init__(self, encode: Encode | None = None) -> None:
        self.encode = encode

    def fit(self, X: pd.DataFrame, y: object = None) -> Self:
        """Learn parts of words."""
        self.name_ = X.columns[0]
        self.encode_ = _from_parts_of_words(_different(X)[1]) if self.encode is None else self.encode
        return self

    def transform(self, X: pd.DataFrame) -> NDArray[np.float32]:
        """Return a row of numbers for each entry."""
        codes, entries = _different(X)
        parts = [self.encode_(entries[at : at + AT_ONCE].tolist()) for at in range(0, len(entries), AT_ONCE)]
        found = np.concatenate(parts).astype(np.float32)
        self.n_numbers_ = found.shape[1]
        return found[codes]

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:
        """Return the name of the column with a number."""
        return np.array([f"{self.name_}_{i}" for i in range(self.n_numbers_)], dtype=object)


def _from_parts_of_words(entries: NDArray[np.object_]) -> Encode:
    """Return what turns texts like some different ones into numbers; the parts are learned from at most 20,000."""
    from skrub import StringEncoder

    few = pd.Series(entries[np.linspace(0, len(entries) - 1, min(len(entries), LEARNED)).round().astype(int)])
    n_numbers = FOR_TEXTS if few.str.count(r"\S+").mean() >= LEAST_WORDS else FOR_WORDS
    encoder = StringEncoder(n_components=max(1, min(n_numbers, len(few) - 1)), random_state=0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The matrix shape is")  # so few parts that each can be a number
        spread = encoder.fit_transform(few).std().to_numpy()
    kept = spread > _ROUNDING * spread.max()  # of few parts, some numbers are nothing
    return lambda texts: encoder.transform(pd.Series(texts)).to_numpy()[:, kept]


def names_model(features: str | None) -> bool:
    """Say whether features are those of a model of texts."""
    return features is not None and features.partition(":")[0] in _MODELS


def encoder_of(model: str) -> Encode:
    """Return what turns a list of texts into an array, by the name of a model."""
    library, _, name = model.partition(":")
    given = spelled("features", model)
    if not name or library not in _MODELS:
        raise ContentError(
            f"{given} names no model of texts. Pass 'model2vec:NAME' or 'sentence-transformers:NAME', where NAME is a "
            "folder, or a name on the Hugging Face Hub."
        )
    try:
        return _MODELS[library](name)
    except ImportError as error:
        raise ImportError(f"{given} needs {library}: pip install {library}") from error
    except Exception as error:  # of the libraries below, too
        why = short(error, 150).rstrip(".")
        raise ContentError(
            f"{given} could not be loaded ({type(error).__name__}: {why}). Without a connection, pass the folder of a "
            "model that was saved."
        ) from error


def _from_model2vec(name: str) -> Encode:
    from model2vec import StaticModel

    model = StaticModel.from_pretrained(name)
    return lambda texts: model.encode(texts, use_multiprocessing=False)


def _from_sentence_transformers(name: str) -> Encode:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(name)
    return lambda texts: model.encode(texts, show_progress_bar=False)


_MODELS = {"model2vec": _from_model2vec, "sentence-transformers": _from_sentence_transformers}


def _different(X: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.object_]]:
    """Return the number of each entry of a column, and the different ones in order; one that is missing is empty."""
    column = X.iloc[:, 0].astype(object)
    codes, entries = pd.factorize(column.where(column.notna(), "").astype(str).to_numpy(object), sort=True)
    return codes, entries
