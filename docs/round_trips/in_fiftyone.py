"""A round trip through FiftyOne: it imports suspects, they are tagged on its page, and its exports are applied.

    pip install ".[test]"
    python docs/round_trips/in_fiftyone.py WORK --picture docs/images/fiftyone.png

WORK is a new folder. FiftyOne is installed into WORK/tool, or taken from the environment that --tool names. It brings
its database along; another one is used where FIFTYONE_DATABASE_URI names it.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
from pathlib import Path

from round_trip import browser, check, installed, made, run, truth_of

PORT = 5197
#: What runs in FiftyOne's environment: import, the page until a line comes, one label changed in Python, and exports.
SESSION = f"""
import fiftyone as fo
print(fo.__version__)
kind = fo.types.LegacyFiftyOneDataset
data = fo.Dataset.from_dir("found/fiftyone", dataset_type=kind, name="suspects", overwrite=True)
assert data.bounds("mistakenness")[0] > 0.9 and set(data.distinct("suggested.label"))
session = fo.launch_app(data, remote=True, port={PORT}, address="127.0.0.1")
print("ready", flush=True)
path, label = input().split()
data.reload()
sample = data.match(fo.ViewField("path") == path).first()
sample.ground_truth.label = label
sample.save()
data.export("export", dataset_type=fo.types.FiftyOneDataset)
data.write_json("export.json")
data.delete()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path)
    parser.add_argument("--tool", type=Path, help="environment with fiftyone")
    parser.add_argument("--picture", type=Path, help="where to put a picture of its page")
    args = parser.parse_args()
    found = made(args.work, "fiftyone")
    with (found / "suspects.csv").open(newline="") as file:
        suspects = [row for row in csv.DictReader(file) if row["flagged"] == "True"]
    python = installed(args.tool or args.work / "tool", "fiftyone==1.22.1") / "python"
    session = subprocess.Popen(
        [python.absolute(), "-c", SESSION], cwd=args.work, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        while (line := session.stdout.readline().strip()) != "ready":
            assert line or session.poll() is None, "FiftyOne didn't start"
            print(line)
        by_page({i: tag_of(row) for i, row in enumerate(suspects)}, args.picture)
        other = next(row for row in suspects if tag_of(row) is None)
        session.communicate(f"{other['path']} {truth_of(other['path'])}\n", timeout=120)
    finally:
        session.kill()
    for export in ("export", "export.json"):
        labels = f"labels-{Path(export).suffix or 'folder'}.csv".replace("-.", "-")
        run(args.work, "curvdetect", "apply", export, "--to", "photos", "--out", labels)
        check(args.work, labels, {row["path"] for row in suspects if tag_of(row) == "unsure"})


def tag_of(row: dict) -> str | None:
    """Return the tag of one who knows what a picture shows; None where only another label is right."""
    if row["rank"] == "2":
        return "unsure"
    truth = truth_of(row["path"])
    return {row["given"]: "right", row["suggested"]: "wrong"}.get(truth)


def by_page(tags: dict, picture: Path | None) -> None:
    """Tag samples as a person would, in Chromium: select those of a kind, and give them a tag."""
    from playwright.sync_api import TimeoutError, sync_playwright

    with sync_playwright() as play:
        chromium = browser(play)
        page = chromium.new_page(viewport={"width": 1280, "height": 720})
        page.goto(f"http://127.0.0.1:{PORT}/datasets/suspects")
        page.locator("[data-cy=looker]").nth(len(tags) - 1).wait_for()
        page.wait_for_timeout(3000)
        try:
            page.get_by_text("Dismiss").click(timeout=5000)
        except TimeoutError:
            print("there was nothing to dismiss")
        for tag in sorted({*tags.values()} - {None}):
            chosen = [i for i, of in tags.items() if of == tag]
            for i in chosen:
                page.locator("[data-cy=looker]").nth(i).hover()
                page.locator("[data-cy=looker]").nth(i).locator("label").click(force=True)
            page.click("[data-cy=action-tag-sample-labels]")
            page.wait_for_timeout(1500)
            page.keyboard.type(tag)
            page.keyboard.press("Enter")
            page.wait_for_timeout(1000)
            if picture and tag == "wrong":
                page.screenshot(path=picture)
            page.get_by_text("Apply", exact=True).click()
            page.wait_for_timeout(3000)
        chromium.close()


if __name__ == "__main__":
    main()
