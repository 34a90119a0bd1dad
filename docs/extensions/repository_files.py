"""Links to files of the repository that are no pages, which a code host follows by itself, lead somewhere on the site.

A script of the gallery leads to its page. Other files, such as the tables that benchmarks wrote, lead to copies of
them: MyST would look for a page of that name where the file is Markdown, unless it is told that a path is meant.
"""

from __future__ import annotations

import re
from typing import Any

LEADS = [
    (re.compile(r"(?<!!)(\[[^\]]*\]\()(?=\.\./)"), r"\1path:"),
    (re.compile(r"(\[[^\]]*\]\()examples/\)"), r"\1auto_examples/index.rst)"),
    (re.compile(r"(\[[^\]]*\]\()examples/(plot_\w+)\.py\)"), r"\1auto_examples/\2.rst)"),
]


def led(text: str) -> str:
    """Return the source of a page with its links for the site."""
    for link, lead in LEADS:
        text = link.sub(lead, text)
    return text


def lead_on(app: Any, docname: str, source: list[str]) -> None:
    """Do so for the pages in Markdown."""
    if app.env.doc2path(docname).suffix == ".md":
        source[0] = led(source[0])


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx when to call what."""
    app.connect("source-read", lead_on)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
