"""Numbers that are written as text: with signs between thousands, with a currency, or with a few words among them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    Column: TypeAlias = pd.Series[Any]

#: Signs between thousands and before decimals; of two that fit, the first is taken.
_SIGNS = ((",", "."), (".", ","), (" ", ","), ("'", "."))
#: What stands around a number.
_AROUND = " \u00a0\u202f$€£¥%"
#: Share of numbers, and different words among them, by which a column is one of numbers.
LEAST, MOST = 0.8, 5
#: Entries that are tried first.
_FEW = 200


def numbers_in(texts: Column) -> tuple[Column, list[str]] | None:
    """Return a column of text as numbers, and the different words among them; None where it isn't one of numbers.

    >>> numbers_in(pd.Series(["1,234", "56", None, "7", "8", "unknown"]))[0].tolist()
    [1234.0, 56.0, nan, 7.0, 8.0, nan]
    """
    entries = texts.dropna().astype(str).str.strip(_AROUND)
    entries = entries[entries != ""]
    few = entries.iloc[np.linspace(0, len(entries) - 1, min(len(entries), _FEW)).round().astype(int)]
    if not len(few) or _read(few).notna().mean() < LEAST / 2:
        return None
    numbers = _read(entries)
    words = entries[numbers.isna()].unique().tolist()
    if words and (len(words) > MOST or numbers.notna().mean() < LEAST):
        return None
    return numbers.reindex(texts.index), words


def _read(entries: Column) -> Column:
    """Return text as numbers by the signs that fit most entries; what is no number is missing."""
    best = pd.to_numeric(entries, errors="coerce").astype(np.float64)
    for thousands, decimal in _SIGNS:
        if not best.isna().any():
            break
        whole, part = rf"[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+", rf"{re.escape(decimal)}[0-9]+"
        fits = entries.str.fullmatch(rf"[+-]?(?:{whole}(?:{part})?|[0-9]*(?:{part})?(?:[eE][+-]?[0-9]+)?)")
        plain = entries.where(fits).str.replace(thousands, "", regex=False).str.replace(decimal, ".", regex=False)
        found = pd.to_numeric(plain, errors="coerce").astype(np.float64)
        if found.notna().sum() > best.notna().sum():
            best = found
    return best
