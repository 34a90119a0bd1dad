"""How long the package and its command take to start, in this version and in an earlier one, in turn.

The earlier version is a checkout beside this one. Every start is a new process. Of each version the function is called
that its ``curvdetect`` on the command line calls.

    git worktree add ../before COMMIT
    python benchmarks/startup.py --before ../before

Every finished pair of starts is one line in OUT/records.jsonl; the same command again goes on where it was cut short.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
import tomllib
from functools import cache
from pathlib import Path

import pandas as pd
from harness.checkouts import HERE, check_found, run_at
from harness.environment import announce, command
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write

#: What the file does that an installed package has in the place of its command.
ENTRY = "import sys; from {module} import {function}; sys.argv[0] = 'curvdetect'; sys.exit({function}())"
#: Compiled files are kept, as they are by default.
KEPT = {"PYTHONDONTWRITEBYTECODE": ""}
#: What is asked of the command, as its arguments, its environment and its exit code; or a line of Python.
STARTS = {
    "Python alone": "pass",
    "import curvdetect": "import curvdetect",
    "curvdetect --help": (["--help"], {}, 0),
    "curvdetect --version": (["--version"], {}, 0),
    "curvdetect scan, without its arguments": (["scan"], {}, 2),
    "completion of curvdetect sc": (
        [],
        {"_CURVDETECT_COMPLETE": "bash_complete", "COMP_WORDS": "curvdetect sc", "COMP_CWORD": "1"},
        0,
    ),
}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce("cpu")
    records = Records(args.out / "records.jsonl", ("start", "turn"))
    wanted = [{"start": name, "turn": turn} for turn in range(args.turns) for name in STARTS]
    rows = records.measured(wanted, lambda row: measure(row, args.before.resolve()), environment=environment)
    render(rows, args)


def measure(row: dict, before: Path) -> dict:
    """Return the seconds of both versions, the one that goes first in turn."""
    versions = {"before": before, "now": HERE}
    return {name: started(versions[name], row["start"]) for name in sorted(versions, reverse=bool(row["turn"] % 2))}


def started(checkout: Path, name: str) -> dict[str, float]:
    """Return the seconds, and those of the processor, that a process takes."""
    code, start = entry(checkout), STARTS[name]
    arguments, more, exit_code = ([], {}, 0) if isinstance(start, str) else start
    words = ["-c", start] if isinstance(start, str) else ["-c", code, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        began, spent = time.perf_counter(), children()
        done = run_at(checkout, words, folder, **KEPT, **more)
        seconds, processor = time.perf_counter() - began, children() - spent
    if done.returncode != exit_code:
        raise RuntimeError(f"{name}: exit code {done.returncode}. {done.stderr.strip()[-200:]}")
    return {"seconds": round(seconds, 4), "processor": round(processor, 4)}


@cache
def entry(checkout: Path) -> str:
    """Return what the command of a checkout runs, once this was compiled and lies in the cache of the disk."""
    scripts = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]
    module, function = scripts["curvdetect"].split(":")
    with tempfile.TemporaryDirectory() as folder:
        done = run_at(checkout, ["-c", f"import curvdetect, {module}; print(curvdetect.__file__)"], folder, **KEPT)
    check_found(checkout, done.stdout.strip())
    return ENTRY.format(module=module, function=function)


def children() -> float:
    """Return the processor seconds of all processes that this one started and that ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    frame = pd.DataFrame(
        {"start": row["start"], **{f"{one}, {part}": row[one][part] for one in ("before", "now") for part in row[one]}}
        for row in rows
    )
    median = frame.groupby("start", sort=False).median()
    table = pd.DataFrame(index=median.index)
    for part, caption in (("seconds", "s"), ("processor", "processor s")):
        for name in ("before", "now"):
            table[f"{name}, {caption}"] = median[f"{name}, {part}"].map("{:.2f}".format)
        ratio = median[f"now, {part}"] / median[f"before, {part}"]
        table[f"now / before, {caption}"] = ratio.map("{:.3f}".format)
    lines = [
        "# How long a start takes, before and now",
        "",
        f"`{command()}`",
        "",
        "## Time",
        "",
        markdown(table.reset_index(), index=False),
        "",
        f"Before: {args.version}. Medians of {args.turns} starts, and their ratios. Each start is a process of its "
        "own, and both versions had been started once before.",
        "",
    ]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--before", type=Path, required=True, help="checkout of the earlier version")
    add("--version", default="the checkout passed", help="what the table calls it")
    add("--turns", type=int, default=5, help="starts of each kind and version")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "startup", help="folder for records and table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
