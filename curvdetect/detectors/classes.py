"""Classes that were hardly meant: under several names, missing labels as a class, nearly a class for each sample."""

from __future__ import annotations

import re
import unicodedata
import warnings
from typing import Any

from numpy.typing import NDArray

from curvdetect.data.wording import brief, callers_level

#: Samples a class, on average, below which a ranking says little: at two of them the average precision of planted wrong
#: labels was about half of that at three, in clouds that overlap and in clouds that don't.
FEW = 3
#: Names of missing labels in files: of ARFF, pandas, spreadsheets and databases. NA and none are names of classes, too.
MISSING = {"", "?", "nan", "<na>", "n/a", "#n/a", "null"}
#: Characters of names that are shown.
_WIDTH = 180


def warn_of_classes(classes: NDArray[Any], n_samples: int) -> None:
    """Warn where names of classes differ by form alone or say missing, and where there is nearly a class a sample."""
    alike = names_alike(classes.tolist())
    if alike:
        warnings.warn(
            f"y holds class names that differ by case, blanks or Unicode form alone: {_shown(alike)}. Each is a class "
            "of its own. Where they are one class, give it one name (str.strip, str.casefold, unicodedata.normalize).",
            UserWarning,
            stacklevel=callers_level(),
        )
    missing = [name for name in classes.tolist() if isinstance(name, str | bytes) and _bare(name) in MISSING]
    if missing:
        warnings.warn(
            f"y holds a class of the name {' and one of '.join(map(repr, missing))}, as missing labels are written. If "
            "they are missing, leave these samples out: the network learns them as a class like any other.",
            UserWarning,
            stacklevel=callers_level(),
        )
    if n_samples < FEW * len(classes):
        warnings.warn(
            f"y holds {len(classes)} classes in {n_samples} samples, fewer than {FEW} samples a class. Where hardly "
            "another sample has the same label, little tells whether it is wrong, and the ranking means little. Pass "
            "classes, not numbers of rows or a quantity; merge rare ones, or leave them out.",
            UserWarning,
            stacklevel=callers_level(),
        )


def names_alike(names: list[Any]) -> list[list[Any]]:
    """Return the groups of names that differ by case, blanks or Unicode form alone. Only text is a name.

    >>> names_alike(["cat", "Cat ", "dog", "New York", "NewYork", "1 2", "12"])
    [['cat', 'Cat '], ['New York', 'NewYork']]
    """
    groups: dict[str, list[Any]] = {}
    for name in names:
        if isinstance(name, str | bytes):
            groups.setdefault(_bare(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]


def _bare(name: str | bytes) -> str:
    """Return a name without case, blanks and Unicode form; the blank between two numbers stays."""
    text = name.decode(errors="backslashreplace") if isinstance(name, bytes) else name
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(text.replace("\u200b", " ").replace("\ufeff", " ").split())
    return re.sub(r"(?<!\d) | (?!\d)", "", words)


def _shown(groups: list[list[Any]]) -> str:
    """Return the first groups of names, at most three, and fewer of long ones."""
    each = list(map(_spelled, groups[:3]))
    while len(each) > 1 and sum(map(len, each)) > _WIDTH:
        each.pop()
    return "; ".join(each) + ("; ..." if len(each) < len(groups) else "")


def _spelled(names: list[Any]) -> str:
    """Return the first names of a group, such that each looks different."""
    looks = {unicodedata.normalize("NFKC", name) if isinstance(name, str) else name for name in names}
    shown = [brief(name) if len(looks) == len(names) else ascii(name)[:50] for name in names[:3]]
    return ", ".join(shown) + (", ..." if len(names) > 3 else "")
