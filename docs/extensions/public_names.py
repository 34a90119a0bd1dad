"""A page for each public name, in the order of the API page, and links to it from wherever a page names it in code.

The API page stays the plain Markdown that it is: names in its tables become links on the site only. A public name that
it doesn't mention is a warning, which ends the build.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import FunctionType
from typing import Any

from docutils import nodes
from sklearn.base import BaseEstimator
from sphinx import addnodes
from sphinx.util import logging

import curvdetect
import curvdetect.metrics

API = "api"
PAGES = "generated"
METRICS = [
    name
    for name, thing in vars(curvdetect.metrics).items()
    if isinstance(thing, FunctionType)
    and thing.__module__ == "curvdetect.metrics"
    and not name.startswith(("_", "as_"))
]
NAMES = dict.fromkeys(curvdetect.__all__, "curvdetect") | dict.fromkeys(METRICS, "curvdetect.metrics")

logger = logging.getLogger(__name__)


def named(text: str) -> list[str]:
    """Return the public names that a page has in code, each once, in its order."""
    return list(dict.fromkeys(name for name in re.findall(r"`(\w+)`", text) if name in NAMES))


def members(cls: type) -> dict[str, str]:
    """Return the directive for each public method and property that is the package's own, of base classes first."""
    directives = {}
    for base in reversed(cls.__mro__):
        if base.__module__.partition(".")[0] != "curvdetect":
            continue
        for name, value in vars(base).items():
            value = getattr(value, "fn", value)  # of scikit-learn's available_if
            if name.startswith("_") or hasattr(BaseEstimator, name):
                continue
            if isinstance(value, FunctionType | classmethod | staticmethod):
                directives[name] = "automethod"
            elif isinstance(value, property):
                directives[name] = "autoproperty"
    return directives


def page(name: str) -> str:
    """Return the source of a name's page."""
    module = NAMES[name]
    thing = getattr(import_module(module), name)
    lines = [name, "=" * len(name), "", f".. currentmodule:: {module}", ""]
    if isinstance(thing, type):
        directives = members(thing)
        table = [f"      ~{name}.{member}" for member, directive in directives.items() if directive == "automethod"]
        lines += [f".. autoclass:: {name}", ""]
        lines += ["   .. rubric:: Methods", "", "   .. autosummary::", "      :nosignatures:", "", *table, ""]
        lines += [f"   .. {directive}:: {member}" for member, directive in directives.items()]
    else:
        lines += [f".. autofunction:: {name}"]
    lines += ["", f".. minigallery:: {module}.{name}", "   :add-heading: In the gallery", "   :heading-level: -", ""]
    return "\n".join(lines)


def write_pages(app: Any) -> None:
    """Write the pages, before Sphinx looks for sources; one that is as it was stays untouched."""
    folder = Path(app.srcdir, PAGES)
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.rst"):
        if old.stem not in NAMES:
            old.unlink()
    for name in NAMES:
        path, source = folder / f"{name}.rst", page(name)
        if not path.exists() or path.read_text() != source:
            path.write_text(source)


def list_pages(app: Any, docname: str, source: list[str]) -> None:
    """Put the pages below the API page."""
    if docname != API:
        return
    order = named(source[0])
    for name in sorted(NAMES.keys() - set(order)):
        logger.warning("the API page doesn't mention %s.%s", NAMES[name], name, location=docname)
    source[0] += "\n```{toctree}\n:hidden:\n\n" + "".join(f"{PAGES}/{name}\n" for name in order) + "```\n"


def link_names(app: Any, doctree: nodes.document) -> None:
    """Make links of the public names in code, but for a page's own."""
    docname = app.env.docname
    for literal in list(doctree.findall(nodes.literal)):
        found = re.fullmatch(r"(\w+)((?:\.\w+)?)(?:\(.*\))?", literal.astext(), re.DOTALL)
        if not found or found[1] not in NAMES or docname == f"{PAGES}/{found[1]}":
            continue
        if any(isinstance(parent, nodes.reference | addnodes.pending_xref | nodes.title) for parent in above(literal)):
            continue
        target = f"{NAMES[found[1]]}.{found[1]}{found[2]}"
        link = addnodes.pending_xref("", refdomain="py", reftype="obj", reftarget=target, refdoc=docname)
        literal.replace_self(link)
        link += literal


def above(node: nodes.Node) -> Iterator[nodes.Node]:
    """Yield what a node stands in."""
    while node.parent is not None:
        node = node.parent
        yield node


def setup(app: Any) -> dict[str, bool]:
    """Tell Sphinx when to call what."""
    app.connect("builder-inited", write_pages, priority=100)
    app.connect("env-get-outdated", lambda *_: [API])  # a name may be new where the page is not
    app.connect("source-read", list_pages)
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
