"""How long a table of numbers with gaps, dates, names and texts takes to be read and encoded, and how much memory.

The table is made up: ten columns beside the labels, as a CSV file. One thread.

    python benchmarks/tables.py
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from harness.environment import announce, command
from harness.memory import megabytes
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write
from threadpoolctl import threadpool_limits

from curvdetect import read_data

#: What is in the table.
COLUMNS = (
    "three columns of numbers, one with a tenth missing; a date, and a date with time, a tenth missing; truth values; "
    "words of 5 and of 30 kinds; names of 5,000 kinds; a text of about 60 characters, different in each row"
)


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    environment = announce("cpu", threads=1)
    records = Records(args.out / "records.jsonl", ("rows", "seed"))

    def measure(cell: dict[str, int]) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder, threadpool_limits(1):
            path = Path(folder, "table.csv")
            made_up(cell["rows"], cell["seed"]).to_csv(path, index=False)
            read_data(made_small(path))  # what is imported at the first call
            before, started, busy = megabytes("VmRSS"), time.perf_counter(), time.process_time()
            data = read_data(path)
            return {
                "seconds": round(time.process_time() - busy, 1),
                "elapsed": round(time.perf_counter() - started, 1),
                "columns": data.X.shape[1],
                "megabytes": round(megabytes("VmHWM") - before),
                "file": round(path.stat().st_size / 2**20, 1),
            }

    cells = [{"rows": n_rows, "seed": args.seed} for n_rows in args.rows]
    rows = records.measured(cells, measure, environment=environment)
    captions = {
        "rows": "rows",
        "file": "file, MiB",
        "columns": "numbers of a row",
        "seconds": "seconds of one core",
        "elapsed": "seconds that passed",
        "megabytes": "memory at most, MiB",
    }
    table = pd.DataFrame(rows)[list(captions)].rename(columns=captions).map(lambda value: f"{value:,}")
    lines = ["# Reading a table of words, dates and gaps", "", f"`{command()}`", ""]
    lines += ["## Time and memory", "", markdown(table, index=False), ""]
    lines += [f"Columns: {COLUMNS}. One thread; more time passes on a machine with other work.", ""]
    write(lines, rows, args.out)


def made_up(n_rows: int, seed: int) -> pd.DataFrame:
    """Return a table whose labels have to do with some of its columns."""
    rng = np.random.default_rng(seed)
    words = np.array(["".join(rng.choice(list("abcdefghijklmnoprstuvwz"), rng.integers(2, 9))) for _ in range(20_000)])
    share = 1 / np.arange(1, len(words) + 1)
    label = rng.integers(0, 10, n_rows)
    texts = words[rng.choice(len(words), (n_rows, 10), p=share / share.sum())]
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, n_rows), unit="D")
    moment = pd.Series(day + pd.to_timedelta(rng.integers(0, 86_400, n_rows), unit="s"))
    number = pd.Series(rng.normal(label, 2.0).round(3))
    return pd.DataFrame(
        {
            "number": number.mask(rng.random(n_rows) < 0.1),
            "count": rng.poisson(3 + label),
            "price": rng.lognormal(3, 1, n_rows).round(2),
            "day": day.strftime("%Y-%m-%d"),
            "moment": moment.mask(rng.random(n_rows) < 0.1).dt.strftime("%Y-%m-%d %H:%M:%S"),
            "member": rng.random(n_rows) < 0.5,
            "kind": np.array(["red", "green", "blue", "black", "white"])[(label + rng.integers(0, 2, n_rows)) % 5],
            "country": words[:30][rng.integers(0, 30, n_rows)],
            "name": words[rng.integers(0, 5000, n_rows)],
            "text": [" ".join(row) for row in texts.tolist()],
            "label": label,
        }
    )


def made_small(path: Path) -> Path:
    """Write the first few rows to another file."""
    small = path.with_name("small.csv")
    pd.read_csv(path, nrows=200).to_csv(small, index=False)
    return small


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--rows", type=int, nargs="+", default=[20_000, 200_000], help="rows of the tables")
    add("--seed", type=int, default=0, help="of the tables")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "tables", help="folder for records and table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
