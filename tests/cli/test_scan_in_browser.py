"""From pictures, some in a wrong folder, by ``curvdetect scan`` and the page in a browser to cleaned labels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.benchmarks.conftest import FOLDER
from tests.cli.conftest import read_csv
from tests.review.browsing import chromium, exported, numbers, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow]
CIFAR = FOLDER.parent / "data" / "train"
#: Pictures, and how many are flagged.
SIZES = {"coloured digits": (1_000, 100), "more coloured digits": (2_000, 150), "CIFAR-10": (2_000, 150)}
FULL = pytest.param("more coloured digits", marks=pytest.mark.full)
RATE = 0.05


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def misfiled():
    """What makes the pictures, for benchmarks too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield __import__("harness.misfiled").misfiled
    for module in [name for name in sys.modules if name.split(".")[0] == "harness"]:
        sys.modules.pop(module)


def curvdetect(*words: object) -> str:
    """Run the command as a process of its own; return what it printed."""
    call = [sys.executable, "-m", "curvdetect", *map(str, words)]
    done = subprocess.run(call, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module", params=["coloured digits", FULL, "CIFAR-10"])
def scanned(request, browser, misfiled, tmp_path_factory):
    """A scan of pictures whose names say what they are of, and what its table holds."""
    folder = tmp_path_factory.mktemp("scan")
    n, q = SIZES[request.param]
    if request.param == "CIFAR-10" and not CIFAR.is_dir():
        pytest.skip("CIFAR-10 is not in data/train, as a folder of pictures for each class")
    source = CIFAR if request.param == "CIFAR-10" else misfiled.coloured_digits(folder / "digits", n // 10, size=16)
    photos = misfiled.misfile(source, folder / "photos", per_class=n // 10, rate=RATE)
    options = ("--q", q, "--epochs", 8, "--size", 16, "--device", "cpu", "--quiet")
    curvdetect("scan", photos, "--out", folder / "found", *options)
    rows = read_csv(folder / "found" / "suspects.csv")
    return SimpleNamespace(
        photos=photos,
        page=folder / "found" / "report.html",
        rows=rows,
        suspects=rows[:q],
        n=n,
        q=q,
        is_wrong=misfiled.is_misfiled,
    )


def test_misfiled_pictures_are_among_the_suspects(scanned):
    n, q = scanned.n, scanned.q
    assert len(scanned.rows) == n
    assert [row["flagged"] for row in scanned.rows] == ["True"] * q + ["False"] * (n - q)
    assert sum(scanned.is_wrong(row["path"]) for row in scanned.rows) == RATE * n
    found = sum(scanned.is_wrong(row["path"]) for row in scanned.suspects)
    assert found > 4 * RATE * q  # four times as many as by chance


def in_sight(page, wanted):
    """Return which of these suspects are drawn: the first of them, since the others are out of sight."""
    drawn = numbers(page)
    assert drawn == wanted[: len(drawn)]
    assert len(drawn) >= min(len(wanted), 12)
    return drawn


def test_click_filter_sort_and_zoom(scanned, browser):
    suspects = scanned.suspects
    with opened(browser, scanned.page) as page:
        assert page.locator("#count").inner_text() == f"{scanned.q} suspects"
        in_sight(page, list(range(scanned.q)))
        page.click("[data-number='3'] button")
        assert page.locator("#which").inner_text().split("\n")[0] == "Suspect 4"
        assert page.locator("#detail .path").inner_text() == suspects[3]["path"]
        shown = page.locator(".versus bdi").all_inner_texts()
        assert shown == [suspects[3]["given"], suspects[3]["suggested"]]
        assert page.locator(".alike .zoomable").count() == 6

        given = suspects[3]["given"]
        page.select_option("#given", page.locator("#given option", has_text=given).get_attribute("value"))
        own = [n for n, row in enumerate(suspects) if row["given"] == given]
        assert page.locator("#count").inner_text() == f"{len(own)} of {scanned.q} suspects"
        in_sight(page, own)
        page.click("#reset")

        page.select_option("#signal", label="curvature")
        page.select_option("#share", "0.05")
        values = sorted((float(row["curvature"]) for row in scanned.rows), reverse=True)
        high = [n for n, row in enumerate(suspects) if float(row["curvature"]) >= values[int(0.05 * scanned.n) - 1]]
        assert 0 < len(high) < scanned.q
        assert page.locator("#count").inner_text() == f"{len(high)} of {scanned.q} suspects"
        in_sight(page, high)
        page.click("#reset")

        page.select_option("#sort", label="curvature")
        by_curvature = sorted(range(scanned.q), key=lambda n: (-float(suspects[n]["curvature"]), n))
        in_sight(page, by_curvature)
        page.click("#order")
        in_sight(page, by_curvature[::-1])

        page.keyboard.press("Escape")
        page.click("#detail .large")
        assert page.locator("#zoom").is_visible()
        assert page.locator("#zoomed").evaluate("image => image.decode().then(() => image.naturalWidth)") == 16
        page.keyboard.press("Escape")
        assert not page.locator("#zoom").is_visible()


def listing(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_review_by_keyboard_export_and_apply(scanned, browser, misfiled, tmp_path):
    keys = {"right": "r", "wrong": "w", "unsure": "u"}
    verdicts = []
    for row in scanned.suspects:
        mended = row["suggested"] == misfiled.class_of(row["path"])
        verdicts.append("right" if not scanned.is_wrong(row["path"]) else "wrong" if mended else "unsure")
    counts = {name: verdicts.count(name) for name in keys}
    assert min(counts.values()) > 0
    with opened(browser, scanned.page) as page:
        page.keyboard.press("w")
        page.keyboard.press("z")
        for verdict in verdicts:
            page.keyboard.press(keys[verdict])
        said = ", ".join(f"{n} {name}" for name, n in counts.items())
        assert page.locator("#tally").inner_text() == f"{scanned.q} of {scanned.q} reviewed: {said}"
        rows = exported(page, tmp_path / "verdicts.csv")
    assert [(row["path"], row["verdict"]) for row in rows] == [
        (row["path"], verdict) for row, verdict in zip(scanned.suspects, verdicts, strict=True)
    ]

    before = listing(scanned.photos)
    to = tmp_path / "labels.csv"
    printed = curvdetect("apply", tmp_path / "verdicts.csv", "--to", scanned.photos, "--out", to, "--size", 16)
    assert printed == f"{to}: {counts['wrong']} of {scanned.n} labels changed\n"
    cleaned = {row["path"]: row["label"] for row in read_csv(to)}
    wanted = {row["path"]: row["given"] for row in scanned.rows}
    for row, verdict in zip(scanned.suspects, verdicts, strict=True):
        if verdict == "wrong":
            wanted[row["path"]] = row["suggested"]
    assert cleaned == wanted
    left = sum(label != misfiled.class_of(path) for path, label in cleaned.items())
    assert left == RATE * scanned.n - counts["wrong"]
    assert listing(scanned.photos) == before
