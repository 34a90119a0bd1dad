r"""Labels as the text that a person reads, and as the cells of a file that a spreadsheet may open.

A cell that a spreadsheet could take for a formula, or that UTF-8 can't hold, is written with an apostrophe before it,
with its backslashes doubled and with such characters as ``\u0000``; whatever starts with an apostrophe itself is as
well, so that every text comes back as it was. The page writes so, in ``page/csv.js``; this is the way back.
"""

from __future__ import annotations

import re
from typing import Any

from numpy.typing import NDArray

#: What the page writes an apostrophe before, and nothing else that begins with one.
_PROTECTED = re.compile(r"'(?:[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'\ufeff]|.*\\u[0-9a-f]{4})", re.DOTALL)


def label_texts(labels: NDArray[Any]) -> list[str]:
    """Return labels as text: the same for a label wherever it comes from.

    Parameters
    ----------
    labels : array of shape (n,)
        Of any kind that is a label.
    """
    values = labels.astype(str) if labels.dtype.kind in "mM" else labels
    return [str(value) for value in values.tolist()]


def unprotected(cell: str) -> str:
    """Return the text that a cell stands for.

    Parameters
    ----------
    cell : str
        As it is in the file. An apostrophe that protects nothing is one that a person typed, as in ``'90s``.
    """
    if not _PROTECTED.match(cell):
        return cell
    return re.sub(
        r"\\(?:u([0-9a-fA-F]{4})|(\\))", lambda found: chr(int(found[1], 16)) if found[1] else found[2], cell[1:]
    )
