"""What a benchmark leaves beside its records: tables in Markdown, and below them what they were measured on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from .environment import in_words


def markdown(frame: pd.DataFrame, *, index: bool = True, left: int = 1) -> str:
    """Return a table of texts: the first columns aligned to the left, all others to the right."""
    right = frame.shape[1] + index - left
    return frame.to_markdown(index=index, disable_numparse=True, colalign=["left"] * left + ["right"] * right)


def write(lines: list[str], rows: Iterable[dict[str, Any]], out: Path) -> None:
    """Write ``table.md``, once everything else is written, and print it and what there is in the folder."""
    environments = dict.fromkeys(in_words(row["environment"]) for row in rows)
    text = "\n".join([*lines, *(f"Environment: {text}." for text in environments)]) + "\n"
    (out / "table.md").write_text(text)
    print("\n" + text)
    print(f"written to {out}/: {', '.join(sorted(path.name for path in out.iterdir()))}")
