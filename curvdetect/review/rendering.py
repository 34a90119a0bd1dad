"""One HTML file of a template, its style, its scripts and what they are told.

The browser is told to run and to load nothing else: the policy names the style and the script by their hashes, and the
data is JSON, in which no character that means anything to HTML is left.
"""

from __future__ import annotations

import base64
import html
import json
import re
from hashlib import sha256
from importlib.resources import files
from typing import Any

#: In this order, since what is at the top of one may use what is at the top of those before.
SCRIPTS = ("dom", "data", "csv", "verdicts", "choice", "grid", "parts", "detail", "keys", "main")
_PAGE = files("curvdetect.review").joinpath("page")


def rendered(content: dict[str, Any]) -> bytes:
    """Return the page.

    Parameters
    ----------
    content : dict
        What the page shows, as JSON knows it; ``"title"`` is its title.
    """
    style = _read("page.css")
    # one scope of their own: a browser's window is full of names
    script = f'(() => {{\n"use strict";\n{"".join(_read(f"{name}.js") for name in SCRIPTS)}}})();\n'
    parts = {
        "policy": f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'",
        "title": html.escape(content["title"]),
        "style": style,
        "script": script,
        "data": as_json(content),
    }
    # in one go: what has been filled in is not looked at again
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], _read("page.html"))
    # a surrogate that stands alone is no character in a file
    return page.encode("utf-8", "replace")


def as_json(content: Any) -> str:
    """Return JSON that can stand in an HTML file: ASCII, without ``<``, ``>`` and ``&``; lone surrogates survive."""
    text = json.dumps(content, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _read(name: str) -> str:
    return _PAGE.joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
