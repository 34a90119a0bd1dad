"""The page for many suspects, other samples, either scheme, a phone and a screen reader."""

import numpy as np
import pytest

from curvdetect import write_report
from tests.review.browsing import exported, numbers, opened
from tests.review.pages import HOSTILE, fitted

pytestmark = pytest.mark.browser


def test_ten_thousand_suspects_scroll_like_ten(browser, tmp_path):
    detector, X, _ = fitted((12, 12), n=10_050, q=10_000)
    path = write_report(detector, X, tmp_path / "suspects.html", k=10_000)
    with opened(browser, path) as page:
        assert page.locator("#count").inner_text() == "10,000 suspects"
        assert page.locator("#grid > li").count() < 200
        page.evaluate("document.getElementById('scroller').scrollTop = 1e9")
        page.wait_for_selector("[data-number='9999']")
        assert page.locator("#grid > li").count() < 200
        assert page.evaluate("document.querySelectorAll('*').length") < 3_000
        page.click("[data-number='9999'] button")
        page.keyboard.press("r")
        assert page.locator("#tally").inner_text() == "1 of 10000 reviewed: 1 right"
        page.select_option("#sort", "index")
        page.fill("#find", str(detector.ranking_[5_000]))
        assert numbers(page) == [5_000]


@pytest.mark.parametrize("shape", [(3,), (2, 3, 4, 5)], ids=["rows", "neither rows nor pictures"])
def test_samples_that_are_no_pictures(browser, tmp_path, shape):
    detector, X, _ = fitted(shape)
    with opened(browser, write_report(detector, X, tmp_path / "suspects.html")) as page:
        page.keyboard.press("w")
        index = detector.ranking_[1]
        if len(shape) == 1:
            shown = page.locator("#detail tbody td:nth-of-type(1)").all_inner_texts()
            assert [float(text) for text in shown] == pytest.approx(X[index], rel=1e-4)
            assert page.locator("#detail thead th").count() == 4
        else:
            assert page.locator("#detail .look").first.inner_text() == f"sample {index}"


def test_texts_are_read_where_the_vectors_would_say_nothing(browser, tmp_path):
    detector, X, _ = fitted((3,), n=4 * len(HOSTILE))
    texts = np.resize(np.array(HOSTILE, dtype=object), len(X)).tolist()
    with opened(browser, write_report(detector, X, tmp_path / "suspects.html", X_display=texts, k=90)) as page:
        for number in range(89):
            text = texts[detector.ranking_[number]]
            if text.isascii() and text.replace("\n", "").isprintable():
                for place in (f"[data-number='{number}'] .look", "#detail > .look"):
                    assert page.locator(place).text_content() == text
            page.keyboard.press("w")
        assert page.locator("#detail .alike .look.text").count() == 6
        assert page.evaluate("window.ran") is None
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate(
            "[...document.querySelectorAll('.card, #detail')].every(e => e.scrollWidth <= e.clientWidth)"
        )


def channels(page, selector, what):
    """Return a colour as numbers from 0 to 255."""
    text = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{what}")
    return [float(part) for part in text.removeprefix("rgb(").removesuffix(")").split(",")]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(*colours):
    low, high = sorted(map(luminance, colours))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_schemes_can_be_read(browser, report, scheme):
    with opened(browser, report[0], color_scheme=scheme) as page:
        ground = channels(page, "body", "backgroundColor")
        assert (luminance(ground) < 0.05) == (scheme == "dark")
        surface = channels(page, ".top", "backgroundColor")
        page.click("[data-number='0'] button")
        for selector, back in {
            "h1": surface,
            "#about": surface,
            ".count": ground,
            ".names .given": surface,
            ".names .suggested": surface,
            ".rank": surface,
            "#is-right": surface,
            "#is-wrong": surface,
            "#is-unsure": surface,
            ".value": surface,
        }.items():
            assert contrast(channels(page, selector, "color"), back) >= 4.5, selector
        page.click("#is-wrong")
        for selector in (".label.given", ".label.suggested", "#export", ".wrong > .mark"):
            own = channels(page, selector, "color"), channels(page, selector, "backgroundColor")
            assert contrast(*own) >= 4.5, selector


def test_on_a_phone(browser, report, tmp_path):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with opened(browser, report[0], **phone) as page:
        fits = "document.documentElement.scrollWidth <= innerWidth && scrollX === 0"
        assert page.evaluate(fits)
        assert not page.locator("#detail").is_visible()
        page.tap("#fold")
        assert page.evaluate(fits)
        page.select_option("#sort", "index")
        page.tap("#fold")
        page.tap("[data-number='0'] button")
        assert page.locator("#detail").is_visible()
        assert page.evaluate("document.activeElement.id") == "detail"
        assert page.evaluate("document.getElementById('suspects').inert")
        assert page.evaluate(fits)
        assert page.evaluate(
            "[...document.querySelectorAll('.verdict')].every((b) => b.getBoundingClientRect().height >= 44)"
        )
        page.tap("#is-unsure")
        assert page.locator("#detail").is_visible()
        page.tap("#close")
        assert not page.locator("#detail").is_visible()
        assert page.locator("#tally").inner_text().endswith("1 unsure")
        assert len(exported(page, tmp_path / "verdicts.csv")) == 1


def test_what_a_screen_reader_needs(page):
    assert page.locator("html").get_attribute("lang") == "en"
    for role, name in {
        "banner": None,
        "main": None,
        "search": "Filter and sort suspects",
        "status": None,
        "list": "12 suspects",
        "group": "Is the given label right?",
        "progressbar": "0 of 12 reviewed",
    }.items():
        assert page.get_by_role(role, name=name, exact=True).count() == 1, role
    assert page.get_by_role("heading", level=1).count() == 1
    assert page.get_by_role("listitem").first.get_attribute("aria-setsize") == "12"
    unnamed = page.evaluate("""() => [...document.querySelectorAll("button, select, input")]
        .filter((e) => !(e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim()))
        .map((e) => e.outerHTML)""")
    assert unnamed == []
    assert page.locator("img:not([alt])").count() == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert page.locator("#grid [tabindex='0']").count() == 1  # one stop of the tab key for all cards
    page.click("[data-number='0'] button")
    page.keyboard.press("Tab")
    focused = "document.getElementById('detail').contains(document.activeElement)"
    assert page.evaluate(focused)
    page.focus("#is-right")
    page.keyboard.press("Space")
    assert page.evaluate("document.activeElement.id") == "is-right"  # the focus stays where the hand is
    assert page.locator("#said").inner_text().startswith("Right. 1 of 12 reviewed. Suspect 2: given")


@pytest.mark.parametrize("shape", [(8, 8), (3,)], ids=["pictures", "rows"])
def test_where_nothing_is_flagged_the_page_says_so(browser, tmp_path, shape):
    detector, X, _ = fitted(shape)
    detector.labels_[:] = 0
    with opened(browser, write_report(detector, X, tmp_path / "suspects.html", paths=["a"] * 60)) as page:
        assert page.locator("#count").inner_text() == "0 suspects"
        assert page.locator("#which").inner_text() == "There is no suspect."
        for key in ("r", "j", "z", "ArrowUp", "Enter", "+"):
            page.keyboard.press(key)
        assert page.locator("#tally").inner_text() == "0 of 0 reviewed"
