"""The tables of a plan: what was measured, hours and dollars, and what would break first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from . import written
from .environment import command
from .footprint import PART
from .planning import TERMS, Rates, Run, at_rate, dollars, dominating, seconds
from .written import markdown

#: What a process holds of every sample in each part of a fit, and beside it.
HELD = {
    "labels": "reading the labels, at its peak",
    "training": "training, at its peak",
    "training_kept": "training that keeps checkpoints, at its peak",
    "after": "scores, flags and the ranking, at their peak",
    "checkpoint": "a checkpoint on disk, of which there are two",
    "loader": "a DataLoader with shuffle=True, beside the training",
}
#: What a dataset may hold, in bytes: a path of 57 letters, its pair with a number, and the pair's place.
LISTED = {"the list of an ImageFolder, a path and a number each": 170}


def hours_table(runs: dict[str, Run], rates: Rates, devices: list[int], price: float) -> str:
    """Return hours, dollars, and where the time goes."""
    rows = []
    for name, run in runs.items():
        for k in devices:
            spent = seconds(run, rates, k)
            whole = sum(spent.values())
            rows.append(
                {
                    "run": name,
                    "devices": f"{k}",
                    "hours": number(whole / 3600),
                    "dollars": number(dollars(run, rates, k, price)),
                    **{what: f"{100 * spent[term] / whole:.1f} %" for term, what in TERMS.items()},
                    "longest": TERMS[dominating(run, rates, k)],
                }
            )
    frame = pd.DataFrame(rows)
    align = ["left"] + ["right"] * (frame.shape[1] - 2) + ["left"]
    return frame.to_markdown(index=False, disable_numparse=True, colalign=align)


def memory_table(memory: dict[str, float], host: float) -> str:
    """Return what grows with the samples in each process, and how many samples fill its memory."""
    per_sample = {words: memory[what] for what, words in HELD.items()} | LISTED
    rows = [
        {
            "of every sample, in every process": what,
            "bytes": f"{size:.0f}",
            "ImageNet, GB": number(size * 1_281_167 / 1e9),
            "a billion, GB": number(size),
            f"samples in {host:g} GiB": f"{host * 2**30 / size / 1e6:,.0f} million" if size > 0 else "any",
        }
        for what, size in per_sample.items()
    ]
    return markdown(pd.DataFrame(rows), index=False)


def measured_table(rates: Rates, found: dict[str, Any]) -> str:
    """Return what the plan is made from."""
    rows = {
        "training, samples a second on one device": number(1 / rates.train),
        **{f"curvature, n = {n}, samples a second": number(1 / spent) for n, spent in rates.passes.items()},
        **{f"a pass, n = {n}, in training epochs": f"{spent / rates.train:.2f}" for n, spent in rates.passes.items()},
        "reading, pictures a second and process": number(1 / rates.read),
        "a picture, KB": number(found["reading"]["bytes"] / 1e3),
        "gradients, MB": number(rates.gradient / 1e6),
        "all-reduce on this host, GB a second": number(found["exchange"]["bandwidth"] / 1e9),
    }
    return markdown(pd.DataFrame({"measured": rows.keys(), "": rows.values()}), index=False)


def number(value: float) -> str:
    """Return a number to three digits, never in powers of ten."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def write(
    runs: dict[str, Run], rates: Rates, found: dict[str, Any], args: Any, out: Path, environment: dict[str, str]
) -> None:
    """Print the tables and write them beside the records."""
    where = environment["accelerator"]
    where = f"a CPU, {environment['threads']} thread(s) of it" if where == "none" else where
    rate, gigabytes = args.assume
    one = next(iter(runs.values()))
    scored = "; ".join(f"{name}: {run.epochs} epochs, {run.scored} of them scored" for name, run in runs.items())
    assumed = f"If a device trains on {rate:,.0f} pictures a second and is sent {gigabytes:g} GB a second"
    lines = [
        "# A plan for larger data",
        "",
        f"`{command()}`",
        "",
        "## Measured",
        "",
        measured_table(rates, found),
        "",
        f"On {where}: ResNet18 at {args.side} pixels, batches of {args.batch_size}, training in {args.precision}; "
        f"{args.processes} processes on one host.",
        "",
        "## Hours and dollars as measured",
        "",
        hours_table(runs, rates, args.devices, args.price),
        "",
        f"A device is {where}, at {args.price:g} dollars an hour, with {one.workers} reading processes and {one.batch} "
        f"samples a step. {scored}.",
        "",
        f"## {assumed}",
        "",
        hours_table(runs, at_rate(rates, rate, gigabytes * 1e9), args.devices, args.price),
        "",
        "Two round numbers, not measured: put yours. Scoring is faster in proportion; reading is as measured, with "
        f"{one.workers} processes a device.",
        "",
        "## What grows with the samples",
        "",
        memory_table(found["memory"], args.host),
        "",
        f"What a sample more adds to the peak, between fits of {args.memory_samples // PART:,} and of "
        f"{args.memory_samples:,} that are generated as they are read. The last is what Python keeps.",
        "",
    ]
    written.write(lines, found.values(), out)
