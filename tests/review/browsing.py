"""A browser for the tests of the page, and how a page is opened in it."""

from __future__ import annotations

import csv
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
#: Nothing is wider than the window.
NO_OVERFLOW = "document.documentElement.scrollWidth <= innerWidth"
OPTIONS = ("--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync")


@contextmanager
def chromium():
    """Yield Chromium, the system's or playwright's own; skip where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as play:
        found = next(filter(None, map(shutil.which, NAMES)), play.chromium.executable_path)
        if not Path(found).exists():
            pytest.skip("there is no Chromium here: install one, or run `playwright install chromium`")
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox", "--no-first-run", *OPTIONS])
        yield browser
        browser.close()


@contextmanager
def opened(browser, path, script=None, **options):
    """Open a file; complain of errors in the console, of dialogs and of requests for anything but the file."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    complaints = []
    page.on(
        "console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda asked: asked.url.startswith(("data:", "blob:", "file:")) or complaints.append(asked.url))
    if script:
        page.add_init_script(script)
    page.goto(path.as_uri())
    page.wait_for_selector(".card, #which")
    page.complaints = complaints
    yield page
    context.close()
    assert complaints == []


def numbers(page):
    """Return the numbers of the suspects that are shown, in order."""
    return [int(card.get_attribute("data-number")) for card in page.locator("#grid > li").all()]


def exported(page, to):
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "verdicts.csv"
    download.value.save_as(to)
    return list(csv.DictReader(to.open(encoding="utf-8-sig", newline="")))


def under_review(page):
    return page.locator("#which").inner_text().split("\n")[0]


def tally(page):
    return page.locator("#tally").inner_text()


def press(page, *keys):
    for key in keys:
        page.keyboard.press(key)
