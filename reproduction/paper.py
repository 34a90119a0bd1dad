"""Every experiment of the paper at its small size, one after the other, and how long each takes.

What each script writes goes to KEEP/SCRIPT, its output to KEEP/SCRIPT.log; a script that is done is not run again.
Nothing is downloaded.

    python reproduction/paper.py
    python reproduction/paper.py --only histograms held_out
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from harness.environment import announce, command
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write

#: Scripts beside this one, by what of the paper they make.
SCRIPTS = {
    "memorization": "Tables 1 and 3, App. F",
    "ablations": "Table 4",
    "architectures": "Tables 5 to 7",
    "top_samples": "Figs. 1, 4, 11, 13, 18",
    "histograms": "Figs. 2, 3, 5, 9, 10, 12, 19",
    "dynamics": "Figs. 6, 8, 14, 15",
    "toy": "Fig. 7",
    "held_out": "Figs. 16, 17",
    "imagenet": "ImageNet's recipe, on files",
}


def main(argv: list[str] | None = None) -> None:
    args, options = parse(argv)
    out = args.out or Path(__file__).parent / "runs" / "paper"
    environment = announce("auto")
    records = Records(out / "records.jsonl", ("script", "options"))
    cells = [{"script": script, "options": options} for script in args.only]

    def measured(cell: dict[str, Any]) -> dict[str, Any]:
        return {"seconds": seconds_of(cell["script"], options, args.keep or out)}

    render(records.measured(cells, measured, environment=environment), out)


def seconds_of(script: str, options: Sequence[str], out: Path) -> float:
    """Run a script as it is run by hand, and return the seconds it takes."""
    out.mkdir(parents=True, exist_ok=True)
    path = Path(__file__).with_name(f"{script}.py")
    # networks of an earlier call would save their time
    kept = ["--keep", str(out / script)] if script == "memorization" else []
    started = time.perf_counter()
    with (out / f"{script}.log").open("w") as log:
        run = subprocess.run(
            [sys.executable, str(path), "--out", str(out / script), *kept, *options],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if run.returncode:
        raise SystemExit(f"{script}.py failed; its output is in {log.name}.")
    return round(time.perf_counter() - started, 2)


def render(rows: list[dict[str, Any]], out: Path) -> None:
    """Print the table and write it beside the records."""
    cells = [
        {
            "command": f"`python reproduction/{row['script']}.py`",
            "of the paper": SCRIPTS[row["script"]],
            "minutes": f"{row['seconds'] / 60:.1f}",
        }
        for row in rows
    ]
    environment = rows[-1]["environment"]
    lines = [
        "# The paper's experiments at their small size",
        "",
        f"`{command(without='--keep')}`",
        "",
        "## Minutes",
        "",
        markdown(pd.DataFrame(cells), index=False, left=2),
        "",
        f"One after the other, on {environment['cores']} core(s), accelerator {environment['accelerator']}.",
        "",
    ]
    write(lines, rows, out)


def parse(argv: list[str] | None) -> tuple[argparse.Namespace, list[str]]:
    parser = command_line(__doc__, epilog="All other options are handed on to every script.")
    add = parser.add_argument
    add("--only", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS), help="which of the scripts")
    add("--out", type=Path, help="folder for the records and the table; by default reproduction/runs/paper")
    add("--keep", type=Path, help="folder for what the scripts write; by default the same")
    return parser.parse_known_args(argv)


if __name__ == "__main__":
    main()
