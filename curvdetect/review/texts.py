r"""Labels as the text of a page, of a spreadsheet's cell and of other tools, and the way back.

The page (``page/csv.js``) writes an apostrophe before a cell that a spreadsheet could take for a formula, that UTF-8
can't hold, or that starts with an apostrophe itself. In such a cell backslashes are doubled, and characters that UTF-8
can't hold are written as ``\u0000``. `protected` does the same for other tools, which take formulas for text and lose
characters that nobody sees. `unprotected` is the way back from both: every text returns as it was.
"""

from __future__ import annotations

import re

from curvdetect.data.types import Array

#: What the page writes an apostrophe before, and nothing else that begins with one.
_PROTECTED = re.compile(r"'(?:[\s\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n'\ufeff]|.*\\u[0-9a-f]{4})", re.DOTALL)


def label_texts(labels: Array) -> list[str]:
    """Return labels of any kind as text: the same for a label wherever it comes from."""
    values = labels.astype(str) if labels.dtype.kind in "mM" else labels
    return [str(value) for value in values.tolist()]


def unprotected(cell: str) -> str:
    """Return the text that a cell stands for; an apostrophe that protects nothing, as in ``'90s``, was typed."""
    if not _PROTECTED.match(cell):
        return cell
    escaped = r"\\(?:u([0-9a-fA-F]{4})|(\\))"
    return re.sub(escaped, lambda found: chr(int(found[1], 16)) if found[1] else found[2], cell[1:])


def protected(text: str, also: str = "") -> str:
    """Return a text in which every character can be seen, save for blanks within; those of ``also`` are escaped too."""
    first, last = len(text) - len(text.lstrip(" ")), len(text.rstrip(" "))
    strange = {
        i for i, c in enumerate(text) if c <= "\uffff" and (not c.isprintable() or c in also or not first <= i < last)
    }
    if not strange and not _PROTECTED.match(text):
        return text
    return "'" + "".join(f"\\u{ord(c):04x}" if i in strange else c.replace("\\", "\\\\") for i, c in enumerate(text))
