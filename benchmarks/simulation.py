"""Shares and sums of a hundred million samples over several processes: indices and accumulators alone, no pictures.

Each process walks its share of every batch of a shuffled epoch, then of a scoring pass, by the package's own loader,
accumulator and exchange; what a network would measure is replaced by a number that says which sample it belongs to.
Then every total and every count is compared with what it has to be, and time and memory are written down.

    python benchmarks/simulation.py
    python benchmarks/simulation.py --samples 100000000 --processes 2 3 --out benchmarks/results/simulation-cpu

The one script that imports from inside the package: a network would take weeks to show the same.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from harness.environment import announce, command
from harness.memory import megabytes
from harness.options import command_line
from harness.records import Records
from harness.written import markdown, write
from torch import Tensor, multiprocessing

from curvdetect.data.batches import BatchLoader, IndexedLoader
from curvdetect.signals.signal import Batch, EpochMean, Plan
from curvdetect.training.ranks import ranks_here

#: Samples whose totals are compared at a time.
COMPARED = 10_000_000


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    out = args.out or Path(__file__).parent / "runs" / "simulation"
    environment = announce("cpu")
    records = Records(out / "records.jsonl", ("samples", "batch_size", "processes"))
    wanted = [{"samples": args.samples, "batch_size": args.batch_size, "processes": k} for k in args.processes]
    for cell in wanted:
        if cell not in records:
            records.add({**cell, "ranks": together(cell), "environment": environment})
    render([records.matching(**cell)[0] for cell in wanted], out)


class Numbers:
    """Samples that are nothing but their own index."""

    device = torch.device("cpu")

    def __init__(self, n: int) -> None:
        self.labels = torch.zeros((), dtype=torch.int64).expand(n)

    def __len__(self) -> int:
        return len(self.labels)

    def batch(self, index: Tensor) -> Tensor:
        return index.double()


def together(cell: dict[str, int]) -> list[dict[str, Any]]:
    """Run so many processes, and return what each of them found."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(one_of_them, (cell, port, folder), nprocs=cell["processes"])
        return [json.loads((Path(folder) / f"{rank}.json").read_text()) for rank in range(cell["processes"])]


def one_of_them(rank: int, cell: dict[str, int], port: int, folder: str) -> None:
    """Be one of the processes."""
    torch.set_num_threads(1)
    told = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": cell["processes"]}
    os.environ |= {name: str(value) for name, value in told.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    found = simulated(cell["samples"], cell["batch_size"])
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found))


def simulated(n: int, batch_size: int) -> dict[str, Any]:
    """Walk a shuffled epoch and a scoring pass, reduce after each, check all totals; return seconds and memory."""
    ranks = ranks_here()
    before = megabytes("VmRSS")
    plan = Plan(n, 1, 2, torch.device("cpu"), exchange=ranks)
    mean, seconds, visited = EpochMean(plan), {}, []
    for epoch, walk in enumerate((shuffled, in_order), 1):
        torch.manual_seed(epoch)
        started, seen = time.perf_counter(), 0
        for index in walk(n, batch_size, ranks):
            mean.add(batch_of(index, epoch, plan), index.double() * epoch)
            seen += len(index)
        walked = time.perf_counter()
        if ranks is not None:
            ranks.any(False)  # so that no one's reduction is timed while it waits for another's walk
        together_at = time.perf_counter()
        mean.end_epoch()
        seconds[f"walking, {walk.__name__}"] = walked - started
        seconds[f"reducing, {walk.__name__}"] = time.perf_counter() - together_at
        visited.append(seen)
    peak = megabytes("VmHWM")
    return {"visited": visited, "wrong": wrong(mean), "seconds": seconds, "mib_before": before, "mib_peak": peak}


def shuffled(n: int, batch_size: int, ranks: Any) -> Any:
    """Yield the indices of this process in a training epoch, as the package's own loader does."""
    here: list[Tensor] = []
    share = {} if ranks is None else {"share": ranks.share}
    loader = IndexedLoader(Numbers(n), loader=BatchLoader, on_index=here.append, batch_size=batch_size, **share)
    for _ in loader:
        yield here.pop()


def in_order(n: int, batch_size: int, ranks: Any) -> Any:
    """Yield the indices of this process in a scoring pass, as the tracker does."""
    everyone = torch.arange(n)
    mine = everyone if ranks is None else ranks.share.of(everyone)
    yield from mine.tensor_split(max(1, -(-len(mine) // batch_size)))


def batch_of(index: Tensor, epoch: int, plan: Plan) -> Batch:
    return Batch(index, index, index, epoch=epoch, quarter=plan.quarter(epoch), forward=Tensor.float)


def wrong(mean: EpochMean) -> int:
    """Return how many samples don't have the sum and the count of two visits, each at their own position."""
    n = mean.total.shape[1]
    found = 0
    for start in range(0, n, COMPARED):
        part = slice(start, min(n, start + COMPARED))
        index = torch.arange(part.start, part.stop, dtype=torch.float64)
        good = (mean.total[0, part] == 3 * index) & (mean.count[0, part] == 2)
        found += int((~good).sum())
    return found


def render(rows: list[dict[str, Any]], out: Path) -> None:
    """Print the table and write it beside the records."""
    cells = []
    for row in rows:
        ranks = row["ranks"]
        seconds = {name: max(rank["seconds"][name] for rank in ranks) for name in ranks[0]["seconds"]}
        grown = max(rank["mib_peak"] - rank["mib_before"] for rank in ranks)
        cells.append(
            {
                "processes": str(row["processes"]),
                "visits of each": ", ".join(f"{rank['visited'][0]:,}" for rank in ranks),
                "samples with a wrong sum or count": f"{max(rank['wrong'] for rank in ranks):,}",
                **{f"{name}, s": f"{value:.1f}" for name, value in seconds.items()},
                "peak above the start, MiB": f"{grown:,.0f}",
                "bytes a sample": f"{grown * 2**20 / row['samples']:.0f}",
            }
        )
    sizes = ", ".join(sorted({f"{row['samples']:,}" for row in rows}))
    lines = [
        f"# Shares and sums of {sizes} samples",
        "",
        f"`{command()}`",
        "",
        "## One accumulator",
        "",
        markdown(pd.DataFrame(cells), index=False, left=0),
        "",
        "A shuffled epoch, then a scoring pass, each visiting every sample once and then reduced; the slowest process, "
        "all on one host. A signal has one accumulator.",
        "",
    ]
    write(lines, rows, out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__)
    add = parser.add_argument
    add("--samples", type=int, default=10_000_000)
    add("--batch-size", type=int, default=1_000_003, help="of all processes together")
    add("--processes", type=int, nargs="+", default=[1, 2, 3])
    add("--out", type=Path, help="folder for records and table; by default benchmarks/runs/simulation")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
