"""The page in a browser: what it shows, how it takes verdicts, and that what users wrote is text in it."""

import csv
import io
import json
import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from curvdetect import apply_verdicts, write_report
from curvdetect.review.report import _read
from curvdetect.review.texts import unprotected
from tests.review.browsing import NO_OVERFLOW, exported, numbers, opened, press, tally, under_review
from tests.review.pages import HOSTILE, fitted

pytestmark = pytest.mark.browser


def test_suspects_are_shown_worst_first_and_a_click_puts_one_under_review(page, report):
    _, content, _ = report
    suspects = content["suspects"]
    assert page.title() == page.locator("h1").inner_text() == "12 suspects of 60"
    assert numbers(page) == list(range(12))
    for number in (0, 11):
        card = page.locator(f"[data-number='{number}']")
        names = [content["classes"][suspects[kind][number]] for kind in ("given", "suggested")]
        assert card.locator("bdi").all_inner_texts() == names
        assert card.locator("button").get_attribute("aria-label") == (
            f"Suspect {number + 1}: given {names[0]}, suggested {names[1]}, not reviewed"
        )
        assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    page.click("[data-number='4'] button")
    detail = page.locator("#detail")
    assert under_review(page) == "Suspect 5"
    assert page.locator("[aria-current]").count() == 1
    assert detail.locator(".path").inner_text() == suspects["path"][4]
    assert float(detail.locator(".facts dd").first.inner_text()) == pytest.approx(suspects["score"][4], rel=1e-4)
    assert detail.locator(".signal dt").all_inner_texts() == [s.replace("_", " ") for s in content["signals"]]
    widths = detail.locator(".bar i").evaluate_all("bars => bars.map((bar) => parseFloat(bar.style.width) / 100)")
    assert widths == pytest.approx([one[4] for one in suspects["shares"]])
    assert detail.locator(".alike .zoomable").count() == 6


def test_filters_and_orders(page, report):
    _, content, _ = report
    suspects = content["suspects"]
    for field in ("given", "suggested"):
        page.select_option(f"#{field}", str(suspects[field][3]))
        wanted = [n for n in range(12) if suspects[field][n] == suspects[field][3]]
        assert 0 < len(wanted) < 12
        assert numbers(page) == wanted
        assert page.locator("#count").inner_text() == f"{len(wanted)} of 12 suspects"
        assert under_review(page) == f"Suspect {wanted[0] + 1}"
        page.click("#reset")
    assert page.locator("#share").is_disabled()
    page.select_option("#signal", label="learning time")
    page.select_option("#share", "0.1")
    shares = suspects["shares"][content["signals"].index("learning_time")]
    assert numbers(page) == [n for n in range(12) if 1 - shares[n] + 1 / 60 <= 0.1]
    page.click("#reset")
    orders = {"index": suspects["index"], "2": [-share for share in suspects["shares"][2]], "rank": range(12)}
    for order, values in orders.items():
        page.select_option("#sort", order)
        wanted = sorted(range(12), key=lambda n, values=values: (values[n], n))
        assert numbers(page) == wanted
        page.click("#order")
        assert numbers(page) == wanted[::-1]
        page.click("#order")
    page.fill("#find", str(suspects["index"][7]))
    assert 7 in numbers(page)
    page.fill("#find", "photos/CAT")
    assert numbers(page) == [n for n in range(12) if "/cat/" in suspects["path"][n]]
    page.fill("#find", "nowhere")
    assert numbers(page) == []
    assert page.locator("#which").inner_text() == "No suspect fits the filters."


def test_review_by_keyboard_alone(page, report, tmp_path):
    _, content, y = report
    press(page, *"r2uzw")  # right, wrong, unsure, no: wrong
    assert under_review(page) == "Suspect 4"
    assert tally(page) == "3 of 12 reviewed: 1 right, 2 wrong"
    assert page.locator("#said").inner_text().startswith("Wrong, it is ")
    press(page, "ArrowRight", "j", "k", "ArrowLeft", "ArrowLeft", "ArrowDown", "ArrowUp", "3")
    assert page.locator("[data-number='2'] .unsure").count() == 1
    assert page.evaluate("document.activeElement.closest('li').dataset.number") == "3"
    with page.expect_download() as download:
        press(page, "e")
    download.value.save_as(tmp_path / "verdicts.csv")
    cleaned, suspects = apply_verdicts(y, tmp_path / "verdicts.csv"), content["suspects"]
    wanted = y.copy()
    wanted[suspects["index"][1]] = content["classes"][suspects["suggested"][1]]
    assert cleaned.tolist() == wanted.tolist()


def test_review_by_mouse_with_another_label_and_verdicts_outlive_the_page(page, report, tmp_path):
    _, content, y = report
    suspects = content["suspects"]
    other = next(iter({0, 1, 2} - {suspects["given"][0], suspects["suggested"][0]}))
    page.select_option("#instead", str(other))
    assert page.locator("#is-wrong").get_attribute("aria-pressed") == "true"
    page.click("#next")
    page.click("#is-right")
    page.reload()
    assert tally(page) == "2 of 12 reviewed: 1 right, 1 wrong"
    assert page.locator("[data-number='0'] .wrong").count() == 1
    rows = exported(page, tmp_path / "verdicts.csv")
    assert [(row["index"], row["verdict"], row["new_label"]) for row in rows] == [
        (str(suspects["index"][0]), "wrong", content["classes"][other]),
        (str(suspects["index"][1]), "right", content["classes"][suspects["given"][1]]),
    ]
    assert [row["path"] for row in rows] == suspects["path"][:2]
    assert apply_verdicts(y, tmp_path / "verdicts.csv")[suspects["index"][0]] == content["classes"][other]


def test_those_left_to_review_get_fewer_and_undo_goes_back_to_the_start(page):
    page.select_option("#verdict", "none")
    page.click("[data-number='0'] button")
    for left in (11, 10):
        press(page, "w")
        assert len(numbers(page)) == left
    assert under_review(page) == "Suspect 3"
    press(page, "z")
    assert under_review(page) == "Suspect 2"
    page.select_option("#verdict", "wrong")
    assert numbers(page) == [0]
    press(page, "z", "z")
    assert tally(page) == "0 of 12 reviewed"
    assert page.locator("#undo").is_disabled()
    assert page.locator("#export").is_disabled()
    assert page.locator("#said").inner_text() == "Nothing to undo."


FORBIDDEN = {
    "no storage": "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no') }})",
    "a full one": "Storage.prototype.setItem = () => { throw new DOMException('full') }",
    "another's": 'localStorage.setItem(\'curvdetect:ID\', \'[[A, "wrong", "nobody"], [B, "toString", "cat"], 7]\')',
    "torn": "localStorage.setItem('curvdetect:ID', '[[')",
}


@pytest.mark.parametrize("script", FORBIDDEN.values(), ids=FORBIDDEN)
def test_review_where_storage_is_of_no_use(browser, report, script):
    path, content, _ = report
    first, second = content["suspects"]["index"][:2]
    for name, value in {"ID": content["id"], "A": first, "B": second}.items():
        script = re.sub(rf"\b{name}\b", str(value), script)
    with opened(browser, path, script=script) as page:
        assert tally(page) == "0 of 12 reviewed"
        press(page, "r")
        assert tally(page) == "1 of 12 reviewed: 1 right"
        assert page.locator("#lost").is_visible() == ("throw" in script)


def test_enlarge_and_the_size_of_thumbnails(page):
    press(page, "Enter")
    assert page.locator("#zoom").is_visible()
    assert page.locator("#zoomed").get_attribute("alt").startswith("Suspect 1: given")
    press(page, "r", "Escape")  # no verdict while it is open
    assert tally(page) == "0 of 12 reviewed"
    width = page.locator("[data-number='0']").bounding_box()["width"]
    press(page, "+", "+", "+")
    assert page.locator("[data-number='0']").bounding_box()["width"] > width + 40
    page.click(".alike .zoomable >> nth=4")
    assert page.locator("#zoom-title").inner_text().startswith("Sample ")


def test_when_single_keys_are_verdicts(page):
    press(page, "f")
    page.keyboard.type("ruw")  # into a field
    assert page.locator("#find").input_value() == "ruw"
    page.fill("#find", "")
    page.locator("#sort").dispatch_event("pointerdown")
    page.select_option("#sort", "index")
    assert tally(page) == "0 of 12 reviewed"
    press(page, "w")  # after a choice by mouse
    page.focus("#sort")
    press(page, "w")  # in a list that has the focus, by which it would choose
    assert tally(page) == "1 of 12 reviewed: 1 wrong"
    page.click("[data-number='3'] button")
    press(page, "?")
    assert "R or 1" in page.locator("#keys").inner_text().replace("\n", " ")
    page.uncheck("#single")
    press(page, "Escape", "w")
    assert tally(page) == "1 of 12 reviewed: 1 wrong"


@pytest.mark.parametrize("most", [2_000, pytest.param(10_000, marks=pytest.mark.full)])
def test_thousands_of_suspects_scroll_like_ten(browser, tmp_path, most):
    detector, X, _ = fitted(n=most + 50, q=most)
    path = write_report(detector, X, tmp_path / "suspects.html", k=most)
    with opened(browser, path) as page:
        assert page.locator("#count").inner_text() == f"{most:,} suspects"
        assert page.locator("#grid > li").count() < 200
        page.evaluate("document.getElementById('scroller').scrollTop = 1e9")
        page.wait_for_selector(f"[data-number='{most - 1}']")
        assert page.locator("#grid > li").count() < 200
        assert page.evaluate("document.querySelectorAll('*').length") < 3_000
        cell = page.locator("#overview td button").first
        pairs = int(cell.inner_text().replace(",", ""))
        cell.click()
        assert page.locator("#count").inner_text().startswith(f"{pairs} of")
        cell.click()
        page.evaluate("document.getElementById('scroller').scrollTop = 1e9")
        page.click(f"[data-number='{most - 1}'] button")
        press(page, "r")
        assert tally(page) == f"1 of {most} reviewed: 1 right"
        page.select_option("#sort", "index")
        page.fill("#find", str(detector.ranking_[1_000]))
        assert numbers(page) == [1_000]


def test_numbers_in_rows_are_shown_whole(browser, tmp_path):
    detector, X, _ = fitted((40,))
    frame = pd.DataFrame(np.clip(X / 10, 0.001, None) * -1, columns=[f"mean of the measured {i}" for i in range(40)])
    frame.insert(1, "note", "long " * 30)
    fits = "e.scrollWidth <= e.clientWidth && range.getClientRects().length === 1"
    whole = f"(e) => {{ const range = document.createRange(); range.selectNodeContents(e); return {fits}; }}"
    path = write_report(detector, X, tmp_path / "suspects.html", X_display=frame)
    with opened(browser, path, viewport={"width": 1200, "height": 800}) as page:
        for size in (56, 112, 256):
            page.locator("#size").fill(str(size))
            card = page.locator("[data-number='0'] .look")
            lines = card.locator("b").all()
            assert len(lines) >= 2
            assert all(line.evaluate(whole) for line in lines if "long" not in line.inner_text())
            inside = "(e) => [...e.children].every((line) => line.scrollWidth <= line.clientWidth)"
            assert card.evaluate(inside)
            below = "(e) => e.getBoundingClientRect().bottom - e.lastChild.getBoundingClientRect().bottom"
            assert card.evaluate(below) >= 8
        cells = page.locator("#detail tbody td").all()
        assert all(cell.evaluate(whole) for cell in cells if "long" not in cell.inner_text())


@pytest.mark.parametrize("kind", ["rows", "texts", "neither"])
def test_samples_that_are_no_pictures(browser, tmp_path, kind):
    detector, X, _ = fitted((2, 3, 4, 5) if kind == "neither" else (3,))
    texts = [f"<b>{i}</b>\n" + "long" * 100 for i in range(60)] if kind == "texts" else None
    with opened(browser, write_report(detector, X, tmp_path / "suspects.html", X_display=texts)) as page:
        press(page, "w")
        index = detector.ranking_[1]
        if kind == "rows":
            shown = page.locator("#detail tbody td:nth-of-type(1)").all_inner_texts()
            assert [float(text) for text in shown] == pytest.approx(X[index], rel=1e-4)
            assert page.locator("#detail thead th").count() == 4
            return
        wanted = texts[index] if texts else f"sample {index}"
        for place in ("[data-number='1'] .look", "#detail > .look"):
            assert page.locator(place).text_content() == wanted
        assert page.locator("#detail .alike .look").count() == 6
        assert page.evaluate(NO_OVERFLOW)
        parts = "[...document.querySelectorAll('.card, #detail')]"
        assert page.evaluate(f"{parts}.every(e => e.scrollWidth <= e.clientWidth)")


def test_without_a_suspect_the_page_says_so(browser, tmp_path):
    detector, X, _ = fitted((8, 8))
    detector.labels_[:] = 0
    with opened(browser, write_report(detector, X, tmp_path / "suspects.html", paths=["a"] * 60)) as page:
        assert page.locator("#count").inner_text() == "0 suspects"
        assert page.locator("#which").inner_text() == "There is no suspect."
        press(page, "r", "j", "z", "ArrowUp", "Enter", "+")
        assert tally(page) == "0 of 0 reviewed"


def test_hostile_names_are_text_and_come_back(browser, tmp_path):
    n, title = len(HOSTILE), "".join(HOSTILE[:8])
    detector, X, y = fitted((8, 8), n=n, classes=np.array(HOSTILE, dtype=object), q=n - 1)
    paths = np.resize(np.roll(HOSTILE, 1), n).tolist()
    path = write_report(detector, X, tmp_path / "suspects.html", paths=paths, title=title, note=title)
    with opened(browser, path) as page:
        press(page, *["w"] * (n - 1))
        text = page.evaluate("document.body.innerText")
        assert "<script>window.ran = 1</script>" in text
        assert page.evaluate("window.ran") is None
        assert page.locator("img:not([src^='data:'])").count() <= 1  # the empty one of the dialog
        assert page.locator("main script, main svg, header script, [onerror], [onload]").count() == 0
        assert page.evaluate(NO_OVERFLOW)
        parts = "[...document.querySelectorAll('.detail, .card')]"
        assert page.evaluate(f"{parts}.every((e) => e.scrollWidth <= e.clientWidth + 1)")
        assert not set("\u202e\u2066\x00\x1b") & set(text)
        rows = exported(page, tmp_path / "verdicts.csv")
    assert len(rows) == n - 1
    assert [unprotected(row["path"]) for row in rows] == [paths[int(row["index"])] for row in rows]
    assert all(not cell.startswith(tuple("=+-@\t\r")) for row in rows for cell in row.values())
    cleaned, wanted = apply_verdicts(y, tmp_path / "verdicts.csv"), detector.suggested_labels_.copy()
    wanted[detector.ranking_[-1]] = y[detector.ranking_[-1]]
    assert cleaned.tolist() == wanted.tolist()


cells = st.text(st.characters(codec=None), max_size=8) | st.text("=+-@\t\r\n'\\u0041\ufeff\x00,;\" ", max_size=8)


def test_any_text_comes_back_from_the_file(browser):
    page = browser.new_page()
    source = "(text) => {" + _read("csv.js") + "; return csvOf(JSON.parse(text)); }"

    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    @given(st.lists(cells, min_size=1, max_size=20))
    @example(["\x85@"])  # white space for Python, and none for JavaScript
    def comes_back(texts):
        text = page.evaluate(source, json.dumps([[0, *texts]]))
        text.encode()  # no surrogate is left that stands alone
        (row,) = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
        assert [unprotected(cell) for cell in row[1:]] == texts
        assert not any(cell.lstrip().startswith(tuple("=+-@")) for cell in row)

    comes_back()
    page.close()
