import base64
import hashlib
import json
import re

import pytest

from curvdetect import write_report
from curvdetect.review.rendering import _PAGE, SCRIPTS, as_json
from tests.review.pages import HOSTILE, fitted


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_json_has_nothing_that_html_reads(name):
    text = as_json({name: name})
    assert json.loads(text) == {name: name}
    assert text.isascii()
    assert not set("<>&\n\r\0") & set(text)


def test_the_policy_lets_only_this_style_and_this_script_in(tmp_path):
    detector, X, _ = fitted()
    text = write_report(detector, X, tmp_path / "page.html").read_text()
    policy = re.search(r'http-equiv="Content-Security-Policy" content="(.*?)"', text)[1]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["img-src"] == "data:"
    for kind in ("style", "script"):
        inside = re.search(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert rules[f"{kind}-src"] == f"'sha256-{digest}'"
    assert not re.search(r"""(?:src|href)=["'](?!data:)|\son\w+=|\sstyle=|https?:|@import|url\(""", text)


def test_scripts_parse_no_markup_and_no_code():
    files = {path.name: path.read_text() for path in _PAGE.iterdir()}
    assert set(files) == {"page.html", "page.css", *(f"{name}.js" for name in SCRIPTS)}
    for name, text in files.items():
        assert len(text.splitlines()) < 300, name
        if name.endswith(".js"):
            assert not re.search(
                r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(|DOMParser", text
            )
            assert "</" not in text
