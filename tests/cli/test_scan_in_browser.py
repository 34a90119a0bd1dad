"""From pictures, some in a wrong folder, by ``curvdetect scan`` and the page in a browser to cleaned labels."""

from __future__ import annotations

import importlib

import pytest

from tests.benchmarks.conftest import FOLDER, forget_scripts
from tests.cli.conftest import read_csv
from tests.review.browsing import chromium, exported, opened

pytestmark = [pytest.mark.browser, pytest.mark.slow]
KEYS = {"right": "r", "wrong": "w", "unsure": "u"}


@pytest.fixture
def misfiled(monkeypatch):
    """What makes the pictures, for benchmarks too."""
    forget_scripts()
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("harness.misfiled")
    forget_scripts()


def test_scan_review_by_keyboard_export_and_apply(run, misfiled, tmp_path):
    source = misfiled.coloured_digits(tmp_path / "digits", 60, size=16)
    photos = misfiled.misfile(source, tmp_path / "photos", per_class=60, rate=0.05)
    out, to = tmp_path / "found", tmp_path / "labels.csv"
    options = ("--q", 60, "--epochs", 8, "--size", 16, "--device", "cpu", "--quiet", "--detector", "loss")
    assert run("scan", photos, "--out", out, *options).exit_code == 0
    rows = read_csv(out / "suspects.csv")
    suspects = rows[:60]
    wrong = [misfiled.is_misfiled(row["path"]) for row in rows]
    assert sum(wrong) == 30
    assert sum(wrong[:60]) > 4 * 3  # four times as many as by chance
    mended = [row["suggested"] == misfiled.class_of(row["path"]) for row in suspects]
    verdicts = ["right" if not bad else "wrong" if good else "unsure" for bad, good in zip(wrong, mended, strict=False)]
    with chromium() as browser, opened(browser, out / "report.html") as page:
        for verdict in verdicts:
            page.keyboard.press(KEYS[verdict])
        exports = exported(page, tmp_path / "verdicts.csv")
    assert [(row["path"], row["verdict"]) for row in exports] == [
        (row["path"], verdict) for row, verdict in zip(suspects, verdicts, strict=True)
    ]
    n_mended = verdicts.count("wrong")
    applied = run("apply", tmp_path / "verdicts.csv", "--to", photos, "--out", to, "--size", 16)
    assert applied.stdout == f"{to}: {n_mended} of 600 labels changed\n"
    cleaned = {row["path"]: row["label"] for row in read_csv(to)}
    assert sum(label != misfiled.class_of(path) for path, label in cleaned.items()) == 30 - n_mended
    assert n_mended > 0
