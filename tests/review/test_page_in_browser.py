import re

import pytest

from curvdetect import apply_verdicts
from tests.review.browsing import exported, numbers, opened

pytestmark = pytest.mark.browser


def under_review(page):
    return page.locator("#which").inner_text().split("\n")[0]


def test_suspects_are_shown_worst_first_with_their_labels(page, report):
    _, content, _ = report
    assert page.title() == page.locator("h1").inner_text() == "12 suspects of 60"
    assert numbers(page) == list(range(12))
    for number in (0, 11):
        card = page.locator(f"[data-number='{number}']")
        names = [content["classes"][content["suspects"][kind][number]] for kind in ("given", "suggested")]
        assert card.locator("bdi").all_inner_texts() == names
        assert card.locator("button").get_attribute("aria-label") == (
            f"Suspect {number + 1}: given {names[0]}, suggested {names[1]}, not reviewed"
        )
        assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 8


def test_a_click_puts_a_suspect_under_review(page, report):
    _, content, _ = report
    page.click("[data-number='4'] button")
    detail, suspects = page.locator("#detail"), content["suspects"]
    assert under_review(page) == "Suspect 5"
    assert page.locator("[aria-current]").count() == 1
    assert detail.locator(".path").inner_text() == suspects["path"][4]
    assert float(detail.locator(".facts dd").first.inner_text()) == pytest.approx(suspects["score"][4], rel=1e-4)
    shares = [one[4] for one in suspects["shares"]]
    assert detail.locator(".signal dt").all_inner_texts() == [s.replace("_", " ") for s in content["signals"]]
    widths = detail.locator(".bar i").evaluate_all("bars => bars.map((bar) => parseFloat(bar.style.width) / 100)")
    assert widths == pytest.approx(shares)
    assert detail.locator(".alike .zoomable").count() == 6


FILTERS = {
    "given": lambda s, n, code: s["given"][n] == code,
    "suggested": lambda s, n, code: s["suggested"][n] == code,
}


@pytest.mark.parametrize("field", FILTERS)
def test_filter_by_class(page, report, field):
    _, content, _ = report
    suspects = content["suspects"]
    code = suspects[field][3]
    page.select_option(f"#{field}", str(code))
    wanted = [n for n in range(12) if FILTERS[field](suspects, n, code)]
    assert 0 < len(wanted) < 12
    assert numbers(page) == wanted
    assert page.locator("#count").inner_text() == f"{len(wanted)} of 12 suspects"
    assert under_review(page) == f"Suspect {wanted[0] + 1}"
    page.click("#reset")
    assert numbers(page) == list(range(12))


def test_filter_by_signal(page, report):
    _, content, _ = report
    assert page.locator("#share").is_disabled()
    page.select_option("#signal", label="learning time")
    page.select_option("#share", "0.1")
    shares = content["suspects"]["shares"][content["signals"].index("learning_time")]
    assert numbers(page) == [n for n in range(12) if 1 - shares[n] + 1 / 60 <= 0.1]


def test_find_by_index_and_path(page, report):
    _, content, _ = report
    page.fill("#find", str(content["suspects"]["index"][7]))
    assert 7 in numbers(page)
    page.fill("#find", "photos/CAT")
    assert numbers(page) == [n for n in range(12) if "/cat/" in content["suspects"]["path"][n]]
    page.fill("#find", "nowhere")
    assert numbers(page) == []
    assert page.locator("#which").inner_text() == "No suspect fits the filters."


@pytest.mark.parametrize("order", ["index", "given", "0", "2", "rank"])
def test_sort(page, report, order):
    _, content, _ = report
    suspects = content["suspects"]
    page.select_option("#sort", order)
    values = (
        suspects.get(order, list(range(12))) if not order.isdigit() else [-v for v in suspects["shares"][int(order)]]
    )
    wanted = sorted(range(12), key=lambda n: (values[n], n))
    assert numbers(page) == wanted
    page.click("#order")
    assert numbers(page) == wanted[::-1]


def test_review_by_keyboard_alone(page, report, tmp_path):
    _, content, y = report
    for key in "r2uzw":  # right, wrong, unsure, no: wrong
        page.keyboard.press(key)
    assert under_review(page) == "Suspect 4"
    assert page.locator("#tally").inner_text() == "3 of 12 reviewed: 1 right, 2 wrong"
    assert page.locator("#said").inner_text().startswith("Wrong, it is ")
    for key in ("ArrowRight", "j", "k", "ArrowLeft", "ArrowLeft", "ArrowDown", "ArrowUp", "3"):
        page.keyboard.press(key)
    assert page.locator("[data-number='2'] .unsure").count() == 1
    assert page.evaluate("document.activeElement.closest('li').dataset.number") == "3"
    with page.expect_download() as download:
        page.keyboard.press("e")
    download.value.save_as(tmp_path / "verdicts.csv")
    cleaned, suspects = apply_verdicts(y, tmp_path / "verdicts.csv"), content["suspects"]
    wanted = y.copy()
    wanted[suspects["index"][1]] = content["classes"][suspects["suggested"][1]]
    assert cleaned.tolist() == wanted.tolist()


def test_review_by_mouse_with_another_label(page, report, tmp_path):
    _, content, y = report
    suspects = content["suspects"]
    other = next(iter({0, 1, 2} - {suspects["given"][0], suspects["suggested"][0]}))
    page.select_option("#instead", str(other))
    assert page.locator("#is-wrong").get_attribute("aria-pressed") == "true"
    page.click("#next")
    page.click("#is-right")
    rows = exported(page, tmp_path / "verdicts.csv")
    assert [(row["index"], row["verdict"], row["new_label"]) for row in rows] == [
        (str(suspects["index"][0]), "wrong", content["classes"][other]),
        (str(suspects["index"][1]), "right", content["classes"][suspects["given"][1]]),
    ]
    assert [row["path"] for row in rows] == suspects["path"][:2]
    assert apply_verdicts(y, tmp_path / "verdicts.csv")[suspects["index"][0]] == content["classes"][other]


def test_what_is_to_be_reviewed_gets_less(page):
    page.select_option("#verdict", "none")
    page.click("[data-number='0'] button")
    for left in (11, 10):
        page.keyboard.press("w")
        assert len(numbers(page)) == left
    assert under_review(page) == "Suspect 3"
    page.keyboard.press("z")
    assert under_review(page) == "Suspect 2"
    page.select_option("#verdict", "wrong")
    assert numbers(page) == [0]


def test_undo_goes_back_to_the_start(page):
    for key in "rwuzzzz":
        page.keyboard.press(key)
    assert page.locator("#tally").inner_text() == "0 of 12 reviewed"
    assert page.locator("#undo").is_disabled()
    assert page.locator("#export").is_disabled()
    assert page.locator("#said").inner_text() == "Nothing to undo."


def test_verdicts_outlive_the_page(page):
    page.keyboard.press("w")
    page.keyboard.press("u")
    page.reload()
    assert page.locator("#tally").inner_text() == "2 of 12 reviewed: 1 wrong, 1 unsure"
    assert page.locator("[data-number='0'] .wrong").count() == 1


FORBIDDEN = {
    "no storage": "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no') }})",
    "a full one": "Storage.prototype.setItem = () => { throw new DOMException('full') }",
    "another's": 'localStorage.setItem(\'curvdetect:ID\', \'[[A, "wrong", "nobody"], [B, "toString", "cat"], 7]\')',
    "torn": "localStorage.setItem('curvdetect:ID', '[[')",
}


@pytest.mark.parametrize("script", FORBIDDEN.values(), ids=FORBIDDEN)
def test_review_where_storage_is_of_no_use(browser, report, script):
    path, content, _ = report
    for name, value in {
        "ID": content["id"],
        "A": content["suspects"]["index"][0],
        "B": content["suspects"]["index"][1],
    }.items():
        script = re.sub(rf"\b{name}\b", str(value), script)
    with opened(browser, path, script=script) as page:
        assert page.locator("#tally").inner_text() == "0 of 12 reviewed"
        page.keyboard.press("r")
        assert page.locator("#tally").inner_text() == "1 of 12 reviewed: 1 right"
        assert page.locator("#lost").is_visible() == ("throw" in script)


def test_enlarge_and_the_size_of_thumbnails(page):
    page.keyboard.press("Enter")
    assert page.locator("#zoom").is_visible()
    assert page.locator("#zoomed").get_attribute("alt").startswith("Suspect 1: given")
    page.keyboard.press("r")  # not while it is open
    page.keyboard.press("Escape")
    assert page.locator("#tally").inner_text() == "0 of 12 reviewed"
    width = page.locator("[data-number='0']").bounding_box()["width"]
    for _ in range(3):
        page.keyboard.press("+")
    assert page.locator("[data-number='0']").bounding_box()["width"] > width + 40
    page.click(".alike .zoomable >> nth=4")
    assert page.locator("#zoom-title").inner_text().startswith("Sample ")


def test_single_keys_can_be_turned_off(page):
    page.keyboard.press("?")
    assert "R or 1" in page.locator("#keys").inner_text().replace("\n", " ")
    page.uncheck("#single")
    page.keyboard.press("Escape")
    page.keyboard.press("w")
    assert page.locator("#tally").inner_text() == "0 of 12 reviewed"


def test_after_a_choice_by_mouse_keys_review_again(page):
    page.locator("#sort").dispatch_event("pointerdown")
    page.select_option("#sort", "index")
    page.keyboard.press("w")
    assert page.locator("#tally").inner_text() == "1 of 12 reviewed: 1 wrong"
    page.focus("#sort")
    page.keyboard.press("w")
    assert page.locator("#tally").inner_text() == "1 of 12 reviewed: 1 wrong"


def test_letters_typed_into_a_field_are_no_verdicts(page):
    page.keyboard.press("f")
    page.keyboard.type("ruw")
    assert page.locator("#find").input_value() == "ruw"
    assert page.locator("#tally").inner_text() == "0 of 12 reviewed"
