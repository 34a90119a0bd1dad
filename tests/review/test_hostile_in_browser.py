"""What users wrote is text in the page and in the file that it exports, whatever it is."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curvdetect import apply_verdicts, write_report
from curvdetect.review.rendering import _read
from curvdetect.review.texts import unprotected
from tests.review.browsing import exported, opened
from tests.review.pages import HOSTILE, fitted

pytestmark = pytest.mark.browser


def test_hostile_names_are_text_and_come_back(browser, tmp_path):
    classes = np.array(HOSTILE, dtype=object)
    detector, X, y = fitted((8, 8), n=4 * len(HOSTILE), classes=classes, q=4 * len(HOSTILE) - 1)
    paths = np.resize(np.roll(HOSTILE, 1), len(X)).tolist()
    path = write_report(
        detector, X, tmp_path / "suspects.html", paths=paths, title="".join(HOSTILE[:8]), note="".join(HOSTILE[:8])
    )
    with opened(browser, path) as page:
        for _ in range(len(X) - 1):
            page.keyboard.press("w")
        text = page.evaluate("document.body.innerText")
        assert "<script>window.ran = 1</script>" in text
        assert page.evaluate("window.ran") is None
        assert page.locator("img:not([src^='data:'])").count() <= 1  # the empty one of the dialog
        assert page.locator("main script, main svg, header script, [onerror], [onload]").count() == 0
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(
            "[...document.querySelectorAll('.detail, .card')].every((e) => e.scrollWidth <= e.clientWidth + 1)"
        )
        assert not set("\u202e\u2066\x00\x1b") & set(text)
        rows = exported(page, tmp_path / "verdicts.csv")
    assert len(rows) == len(X) - 1
    assert [unprotected(row["path"]) for row in rows] == [paths[int(row["index"])] for row in rows]
    assert all(not cell.startswith(tuple("=+-@\t\r")) for row in rows for cell in row.values())
    cleaned, wanted = apply_verdicts(y, tmp_path / "verdicts.csv"), detector.suggested_labels_.copy()
    wanted[detector.ranking_[-1]] = y[detector.ranking_[-1]]
    assert cleaned.tolist() == wanted.tolist()


cells = st.text(st.characters(codec=None), max_size=8) | st.text("=+-@\t\r\n'\\u0041\ufeff\x00,;\" ", max_size=8)


def test_any_text_comes_back_from_the_file(browser):
    page = browser.new_page()
    source = "(text) => {" + _read("csv.js") + "; return csvOf(JSON.parse(text)); }"

    @settings(max_examples=300, suppress_health_check=list(HealthCheck))
    @given(st.lists(cells, min_size=1, max_size=20))
    def comes_back(texts):
        text = page.evaluate(source, json.dumps([[0, *texts]]))
        text.encode()  # no surrogate is left that stands alone
        (row,) = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        assert [unprotected(cell) for cell in row[1:]] == texts
        assert not any(cell.lstrip().startswith(tuple("=+-@")) for cell in row)

    comes_back()
    page.close()


def test_the_policy_holds(browser, report):
    failures = {}
    with opened(browser, report[0]) as page:
        page.on("requestfailed", lambda asked: failures.update({asked.url: asked.failure}))
        page.evaluate("""() => {
            const script = document.createElement("script");
            script.textContent = "window.ran = 1";
            document.body.append(script);
            const add = (markup) => document.body.insertAdjacentHTML("beforeend", markup);
            add("<img src='https://example.org/x.png' onerror='window.ran = 1'>");
            add("<a href='javascript:window.ran = 1' id=trap>trap</a>");
            document.getElementById("trap").click();
        }""")
        page.wait_for_timeout(100)
        assert page.evaluate("window.ran") is None
        said = "\n".join(page.complaints)
        page.complaints.clear()
    for what in ("inline script", "inline event handler", "JavaScript URL", "the image 'https://example.org/x.png'"):
        assert f"{what} violates the following Content Security Policy" in said
    assert failures == {"https://example.org/x.png": "csp"}
