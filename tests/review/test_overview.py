"""Flagged labels by class: the numbers, and the table on the page whose numbers show their suspects."""

import re

import numpy as np
import pytest

from curvdetect import write_report
from curvdetect.review.overview import by_class
from tests.review.browsing import NO_OVERFLOW, numbers, opened, press
from tests.review.pages import HOSTILE, content_of, fitted

Z = 1.959963984540054


def test_shares_their_intervals_and_what_is_suggested():
    detector, _, y = fitted(n=70, classes=("cat", "dog", "fox", "owl"))
    detector.labels_[:] = (y == "dog") | ((y == "fox") & (np.arange(70) < 20)) | (np.arange(70) == 0)
    detector.suggested_labels_ = np.where(y == "dog", "owl", "cat").astype(object)
    detector.suggested_labels_[[0, *np.flatnonzero(y == "dog")[:9]]] = "fox"  # as often as owl, and before it
    table = by_class(detector)
    assert table["class"].tolist() == ["dog", "fox", "cat", "owl"]
    assert table.index.tolist() == [1, 2, 0, 3]
    for row in table.to_dict("records"):
        own = y == row["class"]
        n, hits = own.sum(), (own & (detector.labels_ == 1)).sum()
        assert (row["samples"], row["flagged"], row["share"]) == (n, hits, hits / n)
        middle, half = (hits + Z**2 / 2) / (n + Z**2), Z / (n + Z**2) * np.sqrt(hits * (n - hits) / n + Z**2 / 4)
        assert (row["low"], row["high"]) == pytest.approx((middle - half, middle + half))
    assert (y == "dog").sum() == 18
    assert table["suggested"].tolist() == ["fox", "cat", "fox", None]


@pytest.mark.parametrize(
    "classes", [(3, 40, 5), (True, False), HOSTILE, np.array(["2020-01-01", "2021-02-03"], dtype="M8[D]")]
)
def test_classes_of_any_kind(classes, tmp_path):
    kind = object if classes is HOSTILE else None
    detector, X, _ = fitted((2,), n=4 * len(classes), classes=np.array(classes, dtype=kind), q=len(classes))
    table = by_class(detector)
    assert table["class"].tolist() == detector.classes_.astype(object)[table.index].tolist()
    assert set(table["suggested"].dropna()) <= set(table["class"])
    told = content_of(write_report(detector, X, tmp_path / "page.html", k=1))["by_class"]
    assert told["flagged"] == table.sort_index()["flagged"].tolist()
    assert sum(told["flagged"]) == len(classes)  # all of them, however few the page shows
    assert told["high"] == pytest.approx(table.sort_index()["high"], abs=1e-6)


def cells(page):
    """Return the buttons of pairs, by the given and the suggested class, as codes or "other"."""
    found = page.locator("#matrix td button").all()
    return {(b.get_attribute("data-given"), b.get_attribute("data-suggested")): b for b in found}


@pytest.mark.browser
def test_a_number_shows_only_its_suspects(page, report):
    suspects = report[1]["suspects"]
    pairs = list(zip(map(str, suspects["given"]), map(str, suspects["suggested"]), strict=True))
    found = cells(page)
    assert set(found) == set(pairs)
    for pair, button in found.items():
        wanted = [number for number in range(12) if pairs[number] == pair]
        assert button.inner_text() == str(len(wanted))
        button.click()
        assert numbers(page) == wanted
        assert (page.input_value("#given"), page.input_value("#suggested")) == pair
        assert page.locator("#matrix [aria-pressed='true']").count() == 1
        assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert numbers(page) == list(range(12))
    assert page.locator("#matrix [aria-pressed='true']").count() == 0
    given = str(suspects["given"][3])
    page.select_option("#given", given)
    name = page.locator(f"#matrix tbody [data-given='{given}'][data-suggested='']")
    assert name.get_attribute("aria-pressed") == "true"
    name.click()
    assert len(numbers(page)) == 12
    page.click("#matrix thead button >> nth=0")
    assert 0 < len(numbers(page)) < 12
    page.click("#reset")
    assert len(numbers(page)) == 12


@pytest.mark.browser
def test_shares_on_the_page(page, report):
    told, classes = report[1]["by_class"], report[1]["classes"]
    for row in page.locator("#matrix tbody tr").all():
        code = classes.index(row.locator("th").inner_text())
        assert row.locator(".of").inner_text() == f"{told['flagged'][code]} of 20"
        written = [float(number) for number in re.findall(r"[\d.]+", row.locator(".share").inner_text())]
        exact = [100 * share for share in (told["flagged"][code] / 20, told["low"][code], told["high"][code])]
        assert written == pytest.approx(exact, abs=0.5)
    assert page.locator("#gist").inner_text().startswith("12 of 60 flagged, 20 %; most often ")
    page.click("#overview summary")
    for _ in range(500):  # it is kept a moment later
        if page.evaluate("localStorage.getItem('curvdetect:overview')") == "false":
            break
        page.wait_for_timeout(10)
    page.reload()
    assert not page.locator("#matrix").is_visible()


@pytest.mark.browser
def test_the_table_by_keyboard_alone(page):
    page.focus("#overview summary")
    press(page, "Tab")
    here = "(({dataset: {given, suggested}}) => [given, suggested])(document.activeElement)"
    first = page.locator("#matrix tbody th button").first
    assert page.evaluate(here) == [first.get_attribute("data-given"), ""]
    press(page, "ArrowRight")
    pair = page.evaluate(here)
    press(page, "Enter")
    assert 0 < len(numbers(page)) < 12
    assert page.evaluate(here) == pair  # the focus stays where the hand is
    assert page.locator("#matrix [tabindex='0']").count() == 1
    press(page, "ArrowUp", "ArrowUp", "ArrowUp", "ArrowUp", "ArrowLeft", "ArrowLeft", "Space")
    assert page.evaluate(here)[0] == ""
    assert page.input_value("#given") == ""


@pytest.mark.browser
@pytest.mark.parametrize("hostile", [False, True])
def test_of_many_classes_the_rarest_stand_together(browser, tmp_path, hostile):
    classes = np.array(HOSTILE if hostile else [f"breed {i}" for i in range(100)], dtype=object)
    n = len(classes)
    detector, X, y = fitted((2,), n=5 * n, classes=classes, q=3 * n)
    detector._rank(np.random.default_rng(0).random(5 * n), 3 * n)
    codes = np.searchsorted(detector.classes_, y)
    detector.suggested_labels_ = detector.classes_[(codes + 1 + np.arange(5 * n) % 2) % n]
    with opened(browser, write_report(detector, X, tmp_path / "page.html")) as page:
        found = cells(page)
        counts = {pair: int(button.inner_text()) for pair, button in found.items()}
        assert sum(counts.values()) == 3 * n
        rows = page.locator("#matrix tbody th").all_inner_texts()
        assert len(rows) == 21
        assert rows[-1] == "other"
        pair = next(pair for pair in found if pair[0] == "other")
        found[pair].click()
        assert page.locator("#count").inner_text() == f"{counts[pair]} of {3 * n} suspects"
        assert (page.input_value("#given"), page.input_value("#suggested")) == pair
        assert page.evaluate(NO_OVERFLOW)
        assert page.evaluate("window.ran") is None
        assert page.locator("#overview :is(script, svg, img), [onerror], [onload]").count() == 0


@pytest.mark.browser
def test_one_pair_of_classes_needs_no_table(browser, tmp_path):
    detector, X, y = fitted((2,), classes=("no", "yes"))
    detector._rank((y == "no") + np.arange(60) / 100, 12)
    with opened(browser, write_report(detector, X, tmp_path / "page.html")) as page:
        assert len(numbers(page)) == 12
        assert not page.locator("#overview").is_visible()
