"""A browser, and a page in it, for the tests of the page."""

import numpy as np
import pytest

from curvdetect import write_report
from tests.review.browsing import chromium, opened
from tests.review.pages import content_of, fitted


@pytest.fixture(scope="session")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """A page of 12 suspects among 60 pictures, what it was told, and the labels."""
    detector, X, y = fitted((3, 8, 8))
    detector._rank(np.random.default_rng(0).random(60), 12)  # so that suspects of all classes are mixed
    paths = [f"photos/{label}/{i}.png" for i, label in enumerate(y)]
    path = write_report(detector, X, tmp_path_factory.mktemp("page") / "suspects.html", paths=paths)
    return path, content_of(path), y


@pytest.fixture
def told(tmp_path):
    """Return what the page is told of samples that a detector was fitted on."""
    return lambda detector, X, **options: content_of(write_report(detector, X, tmp_path / "page.html", **options))


@pytest.fixture(scope="module")
def tab(browser, report):
    with opened(browser, report[0]) as page:
        yield page


@pytest.fixture
def page(tab):
    """Return the page as it is when it is opened for the first time."""
    tab.evaluate("localStorage.clear()")
    tab.emulate_media(color_scheme="light")
    tab.reload()
    tab.wait_for_selector(".card")
    yield tab
    assert tab.complaints == []
