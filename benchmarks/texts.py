"""Wrong labels of texts: parts of words, by skrub's StringEncoder, beside a pretrained model of texts.

The texts are the first paragraphs of docstrings in installed packages, without the packages' names, and the labels are
the packages. The model is that of the wheel of wordllama, read by model2vec; nothing else is downloaded.

    pip install ".[model2vec]" wordllama
    python benchmarks/texts.py
"""

from __future__ import annotations

import argparse
import ast
import re
import time
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import wordllama
from harness.environment import announce, command
from harness.measures import MEASURES, TRUE_COUNT, graded
from harness.options import command_line
from harness.quiet import quietly
from harness.records import Records
from harness.tables import by_cell, compared, means, over_seeds
from harness.written import markdown, write
from model2vec import StaticModel
from safetensors.numpy import load_file
from skrub import StringEncoder
from tokenizers import Tokenizer

from curvdetect import FusedDetector, LeaveOneOutDetector, corrupt_labels

PACKAGES = (
    *("numpy", "scipy", "pandas", "sklearn", "torch", "matplotlib", "sympy", "networkx"),
    *("PIL", "click", "joblib", "skorch", "dask", "polars", "pyarrow", "datasets"),
)
#: Characters of a text, at least and at most.
SHORTEST, LONGEST = 30, 1000
ENCODERS = {"parts/30": 30, "parts/100": 100, "parts/300": 300, "wordllama": None}
CAPTIONS = {
    "parts/30": "parts of words, 30 numbers",
    "parts/100": "parts of words, 100 numbers",
    "parts/300": "parts of words, 300 numbers",
    "wordllama": "wordllama, 256 numbers",
}
DETECTORS = {"fused": FusedDetector, "leave_one_out": LeaveOneOutDetector}


def main(argv: list[str] | None = None) -> None:
    args = parse(argv)
    torch.set_num_threads(1)
    environment = announce("cpu", threads=1)
    records = Records(args.out / "records.jsonl", ("encoder", "rate", "each", "seed"))
    cells = [
        {"encoder": encoder, "rate": args.rate, "each": args.each, "seed": seed}
        for encoder in args.encoders
        for seed in args.seeds
    ]

    def measure(cell: dict) -> dict:
        texts, y = corpus(tuple(args.packages), args.each)
        labels, mask = corrupt_labels(y, cell["rate"], random_state=cell["seed"])
        started = time.process_time()
        X = encoded(texts, ENCODERS[cell["encoder"]])
        found = {"texts": len(texts), "classes": len(set(y)), "encoding": round(time.process_time() - started, 1)}
        for name, kind in DETECTORS.items():
            started = time.process_time()
            with quietly():
                scores = kind(device="cpu", random_state=cell["seed"]).fit(X, labels).scores_
            found[name] = {
                **graded(mask, scores),
                "seconds": round(time.process_time() - started, 1),
            }
        return found

    render(records.measured(cells, measure, environment=environment), args)


@cache
def corpus(packages: tuple[str, ...], each: int) -> tuple[list[str], np.ndarray]:
    """Return so many texts of each package that has them, drawn at random, and their packages."""
    rng, texts, y = np.random.default_rng(0), [], []
    for package in packages:
        found = sorted(set(paragraphs(package, packages)))
        if len(found) >= each:
            texts += [found[i] for i in rng.choice(len(found), each, replace=False)]
            y += [package] * each
    return texts, np.array(y)


def paragraphs(package: str, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the first paragraphs of the docstrings of a package."""
    found = find_spec(package)
    for file in sorted(Path(found.origin).parent.rglob("*.py")) if found and found.origin else ():
        if "test" in str(file):
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and (doc := ast.get_docstring(node)):
                text = re.sub("|".join(names), "it", " ".join(doc.split("\n\n")[0].split()), flags=re.IGNORECASE)
                if len(text) >= SHORTEST:
                    yield text[:LONGEST]


def encoded(texts: list[str], n_numbers: int | None) -> np.ndarray:
    """Return texts as numbers: parts of words, or all that the model makes of them."""
    if n_numbers is not None:
        return StringEncoder(n_components=n_numbers, random_state=0).fit_transform(pd.Series(texts)).to_numpy()
    folder = Path(wordllama.__file__).parent
    (vectors,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return StaticModel(vectors.astype(np.float32), tokenizer).encode(texts, use_multiprocessing=False)


def render(rows: list[dict], args: argparse.Namespace) -> None:
    """Print the table and write it beside the records."""
    lines = ["# Wrong labels of texts", "", f"`{command()}`", ""]
    for measure, title in {**MEASURES, "seconds": "Seconds of one core"}.items():
        if any(measure not in row[name] for row in rows for name in DETECTORS):
            continue  # older records have two of the measures
        flat = [
            {"": CAPTIONS[row["encoder"]], "seed": row["seed"]}
            | {f"{kind.__name__}()": row[name][measure] for name, kind in DETECTORS.items()}
            for row in rows
        ]
        each = pd.DataFrame(flat).set_index(["", "seed"])
        if measure == "seconds":
            lines += [f"## {title}", "", markdown(by_cell(each).mean().map("{:.0f}".format)), ""]
            continue
        lines += [f"## {title}", "", markdown(means(100 * each)), ""] + [TRUE_COUNT, ""] * (measure == "precision")
        lines += compared(100 * each, f"{FusedDetector.__name__}()", title)
    lines += [
        f"{rows[0]['texts']:,} first paragraphs of docstrings of {rows[0]['classes']} packages, {100 * args.rate:g} % "
        f"of the labels replaced. {over_seeds(args.seeds)}",
        "",
    ]
    write(lines, rows, args.out)


def parse(argv: list[str] | None) -> argparse.Namespace:
    parser = command_line(__doc__, 2)
    add = parser.add_argument
    add("--packages", nargs="+", default=list(PACKAGES), help="whose docstrings are the texts")
    add("--each", type=int, default=150, help="texts of each package")
    add("--rate", type=float, default=0.05, help="share of wrong labels")
    add("--encoders", nargs="+", default=list(ENCODERS), choices=list(ENCODERS))
    add("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the corruption and the trainings")
    add("--out", type=Path, default=Path(__file__).parent / "runs" / "texts", help="folder for records and table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
