"""The page can be read in light and dark, on a phone, by a screen reader and by keyboard."""

import re

import pytest

from tests.review.browsing import NO_OVERFLOW, exported, opened, press, tally

pytestmark = pytest.mark.browser


def colours(page, *selectors):
    """Return the colour and the ground of elements, as luminances."""
    script = "all => all.map((s) => (({color, backgroundColor: b}) => [color, b])(getComputedStyle($(s))))"
    found = page.evaluate(script.replace("$(s)", "document.querySelector(s)"), list(selectors))
    return [[luminance(map(float, re.findall(r"[\d.]+", text)[:3])) for text in pair] for pair in found]


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(*colours):
    return (max(colours) + 0.05) / (min(colours) + 0.05)


VERDICTS = ("#is-right", "#is-wrong", "#is-unsure")
ON_SURFACE = ("h1", "#about", ".names .given", ".names .suggested", ".rank", ".value", *VERDICTS)
OWN_GROUND = (".label.given", ".label.suggested", "#export", ".wrong > .mark")


def test_both_schemes_can_be_read(page):
    page.click("[data-number='0'] button")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        (_, ground), (_, surface), (count, _) = colours(page, "body", ".top", ".count")
        assert (ground < 0.05) == (scheme == "dark")
        assert contrast(count, ground) >= 4.5
        for selector, (colour, _) in zip(ON_SURFACE, colours(page, *ON_SURFACE), strict=True):
            assert contrast(colour, surface) >= 4.5, selector
        press(page, "w")
        page.click("[data-number='0'] button")
        for selector, own in zip(OWN_GROUND, colours(page, *OWN_GROUND), strict=True):
            assert contrast(*own) >= 4.5, selector
        press(page, "z")


def test_on_a_phone(browser, report, tmp_path):
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    with opened(browser, report[0], **phone) as page:
        fits = f"{NO_OVERFLOW} && scrollX === 0"
        assert page.evaluate(fits)
        assert not page.locator("#detail").is_visible()
        page.tap("#fold")
        assert page.evaluate(fits)
        page.select_option("#sort", "index")
        page.tap("#fold")
        assert not page.locator("#matrix").is_visible()
        page.tap("#overview summary")
        assert min(page.evaluate("[...document.querySelectorAll('#matrix button')].map((b) => b.offsetHeight)")) >= 36
        assert page.evaluate(fits)
        page.tap("[data-number='0'] button")
        assert page.locator("#detail").is_visible()
        assert page.evaluate("document.activeElement.id") == "detail"
        assert page.evaluate("document.getElementById('suspects').inert")
        assert page.evaluate(fits)
        heights = "[...document.querySelectorAll('.verdict')].map((b) => b.getBoundingClientRect().height)"
        assert min(page.evaluate(heights)) >= 44
        page.tap("#is-unsure")
        assert page.locator("#detail").is_visible()
        page.tap("#close")
        assert not page.locator("#detail").is_visible()
        assert tally(page).endswith("1 unsure")
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
    press(page, "Tab")
    assert page.evaluate("document.getElementById('detail').contains(document.activeElement)")
    page.focus("#is-right")
    press(page, "Space")
    assert page.evaluate("document.activeElement.id") == "is-right"  # the focus stays where the hand is
    assert page.locator("#said").inner_text().startswith("Right. 1 of 12 reviewed. Suspect 2: given")
