"""From pictures, some in a wrong folder, by ``curvdetect scan`` and the page in a browser to cleaned labels."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.benchmarks.conftest import FOLDER, forget_scripts
from tests.cli.conftest import read_csv
from tests.review.browsing import chromium, exported, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow]
#: Pictures, the share in a wrong folder, and how many are flagged.
N, RATE, Q = 600, 0.05, 60
KEYS = {"right": "r", "wrong": "w", "unsure": "u"}


@pytest.fixture
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def misfiled(monkeypatch):
    """What makes the pictures, for benchmarks too."""
    forget_scripts()
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("harness.misfiled")
    forget_scripts()


def listing(folder: Path) -> dict[Path, bytes]:
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_scan_review_by_keyboard_export_and_apply(run, browser, misfiled, tmp_path):
    source = misfiled.coloured_digits(tmp_path / "digits", N // 10, size=16)
    photos = misfiled.misfile(source, tmp_path / "photos", per_class=N // 10, rate=RATE)
    before, out, to = listing(photos), tmp_path / "found", tmp_path / "labels.csv"
    options = ("--q", Q, "--epochs", 8, "--size", 16, "--device", "cpu", "--quiet", "--detector", "loss")
    assert run("scan", photos, "--out", out, *options).exit_code == 0
    rows = read_csv(out / "suspects.csv")
    suspects = rows[:Q]
    assert [row["flagged"] for row in rows] == ["True"] * Q + ["False"] * (N - Q)
    assert sum(misfiled.is_misfiled(row["path"]) for row in rows) == RATE * N
    found = sum(misfiled.is_misfiled(row["path"]) for row in suspects)
    assert found > 4 * RATE * Q  # four times as many as by chance

    verdicts = []
    for i, row in enumerate(suspects):
        mended = row["suggested"] == misfiled.class_of(row["path"])
        sure = "right" if not misfiled.is_misfiled(row["path"]) else "wrong" if mended else "unsure"
        verdicts.append("unsure" if i % 5 == 4 else sure)
    counts = {name: verdicts.count(name) for name in KEYS}
    assert min(counts.values()) > 0
    with opened(browser, out / "report.html") as page:
        page.keyboard.press("w")
        page.keyboard.press("z")
        for verdict in verdicts:
            page.keyboard.press(KEYS[verdict])
        said = ", ".join(f"{n} {name}" for name, n in counts.items())
        assert page.locator("#tally").inner_text() == f"{Q} of {Q} reviewed: {said}"
        exports = exported(page, tmp_path / "verdicts.csv")
    assert [(row["path"], row["verdict"]) for row in exports] == [
        (row["path"], verdict) for row, verdict in zip(suspects, verdicts, strict=True)
    ]

    applied = run("apply", tmp_path / "verdicts.csv", "--to", photos, "--out", to, "--size", 16)
    assert applied.stdout == f"{to}: {counts['wrong']} of {N} labels changed\n"
    wanted = {row["path"]: row["given"] for row in rows}
    wanted |= {row["path"]: row["suggested"] for row, said in zip(suspects, verdicts, strict=True) if said == "wrong"}
    cleaned = {row["path"]: row["label"] for row in read_csv(to)}
    assert cleaned == wanted
    assert sum(label != misfiled.class_of(path) for path, label in cleaned.items()) == RATE * N - counts["wrong"]
    assert listing(photos) == before
