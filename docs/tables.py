"""Copy the tables that benchmarks wrote into the documentation, so that none is ever typed.

    python docs/tables.py            # rewrite
    python docs/tables.py --check    # fail where something is out of date

A page names a committed table and the heading of a section. It gets the whole section, or what it chooses of it:

    <!-- table benchmarks/results/mnist-4000/table.md "AUROC, %" -->
    <!-- end -->

    <!-- table benchmarks/results/mnist-4000/table.md benchmarks/results/digits/table.md "AUROC, %"
    names: MNIST; digits
    rows: Curvature; Margin (AUM)
    columns: 10 % wrong; cost
    notes: Cost
    -->
    <!-- end -->

Several tables are put side by side, under names or those of their folders, and so are several sections of a table,
``"AUROC, %" "Average precision, %"``. Notes are the paragraphs that start with
these words. A row is named by its first cell, or by its first two where the first is that of other rows too
(``uniform, 5.0``), and shown under another name where one follows an arrow (``Margin (AUM) => AUM``).

The table of detectors is that of the package, between ``<!-- detectors -->`` and ``<!-- end -->``. That of packages
which tests use together with this one is between ``<!-- meets -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from works_with import table as met

from curvdetect.detectors.registry import DETECTORS

ROOT = Path(__file__).parent.parent
SLOT = re.compile(
    r'(<!-- table (?P<paths>[^"\n]+) (?P<headings>"[^"]+"(?: "[^"]+")*)(?P<choice>.*?)-->\n).*?(<!-- end -->)',
    re.DOTALL,
)

LISTED = re.compile(r"(<!-- detectors -->\n).*?(<!-- end -->)", re.DOTALL)
MET = re.compile(r"(<!-- meets -->\n).*?(<!-- end -->)", re.DOTALL)


def detectors() -> str:
    """Return the package's table of detectors: calls, scores and costs."""
    lines = ["| name | score | cost, in plain trainings of the net |", "|---|---|---|"]
    for entry in DETECTORS.values():
        params = ", ".join(f"{name}={value!r}" for name, value in entry.params.items())
        call = f"{entry.detector.__name__}({params})" if params else entry.detector.__name__
        lines.append(f"| `{call}` | {entry.score} | {entry.trainings} |")
    return "\n".join(lines)


def section(path: str, heading: str) -> str:
    """Return what stands under a heading."""
    text = (ROOT / path).read_text()
    return text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].split("\nEnvironment:", 1)[0].strip()


def title(path: str) -> str:
    """Return what the whole file is headed."""
    return (ROOT / path).read_text().splitlines()[0].removeprefix("# ").strip()


def whole(path: str, heading: str) -> str:
    """Return a section as it is, and the command that made it."""
    command = next(line for line in (ROOT / path).read_text().splitlines() if line.startswith("`python "))
    made = f"Made by {command}; records and environment in [`{path}`]({path})."
    return f"{title(path)}. {heading}.\n\n{section(path, heading)}\n\n{made}\n"


def cells(text: str) -> dict[str, dict[str, str]]:
    """Return the cells of a section's table by the names of their row, in one cell or two, and column."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    head, _, *rows = ([cell.strip() for cell in line] for line in lines)
    named = 1 if len({row[0] for row in rows}) == len(rows) else 2
    return {", ".join(row[:named]): dict(zip(head[named:], row[named:], strict=True)) for row in rows}


def chosen(paths: list[str], headings: list[str], choice: dict[str, list[str]]) -> str:
    """Return what a page chooses of some sections of tables, side by side, and where the rest is."""
    names = [Path(path).parent.name for path in paths]
    called = [""] if len(paths) == 1 else choice.get("names", names)
    places = [(path, name, heading) for path, name in zip(paths, called, strict=True) for heading in headings]
    texts = [section(path, heading) for path, _, heading in places]
    paragraphs = [paragraph for text in texts for paragraph in text.split("\n\n") if not paragraph.startswith("|")]
    notes = [next(p for p in paragraphs if p.startswith(start)) for start in choice.get("notes", [])]
    caption = f"{title(paths[0])}. {headings[0]}." if len(paths) == 1 else f"{headings[0]}."
    shown = []
    if choice.keys() & {"rows", "columns"}:
        tables = [cells(text) for text in texts]
        shown_as = dict(f"{row} => {row}".split(" => ")[:2] for row in choice.get("rows") or tables[0])
        rows = list(shown_as)
        columns = choice.get("columns") or list(next(iter(tables[0].values())))
        if strange := set(rows).difference(*tables):
            raise ValueError(f"no row {strange} under {headings} of {paths}")
        parts = [(name, heading) if len(headings) > 1 else (name,) for _, name, heading in places]
        if len(headings) > 1 and len(columns) == 1:  # which the caption says once
            caption = ", ".join(filter(None, ("" if len(paths) > 1 else title(paths[0]), columns[0]))) + "."
            head = [", ".join(filter(None, part)) for part in parts]
        else:
            head = [", ".join(filter(None, (*part, column))) for part in parts for column in columns]
        body = [
            [shown_as[row], *(table[row][c] if row in table else "" for table in tables for c in columns)]
            for row in rows
        ]
        shown = ["\n".join(f"| {' | '.join(line)} |" for line in [["", *head], [":--", *["--:"] * len(head)], *body])]
    links = ", ".join(f"[{name}]({path})" for name, path in zip(names, paths, strict=True))
    rest = f"All rows, the command and the environment: {links}."
    return "\n\n".join([caption, *shown, *notes, rest]) + "\n"


def filled(page: str, depth: int) -> str:
    """Return a page with its slots filled; links go up ``depth`` folders."""

    def fill(slot: re.Match[str]) -> str:
        paths = slot["paths"].split()
        choice = {key: names.split("; ") for key, names in re.findall(r"^(\w+): (.+)$", slot["choice"], re.MULTILINE)}
        headings = re.findall(r'"([^"]+)"', slot["headings"])
        text = chosen(paths, headings, choice) if choice else whole(*paths, *headings)
        for path in paths:
            text = text.replace(f"]({path})", f"]({'../' * depth}{path})")
        return f"{slot[1]}\n{text}\n{slot[5]}"

    page = LISTED.sub(lambda slot: f"{slot[1]}\n{detectors()}\n\n{slot[2]}", page)
    page = MET.sub(lambda slot: f"{slot[1]}\n{met()}\n\n{slot[2]}", page)
    return SLOT.sub(fill, page)


def main(check: bool) -> int:
    stale = []
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        before = path.read_text()
        after = filled(before, len(path.relative_to(ROOT).parts) - 1)
        if after != before:
            stale.append(path.relative_to(ROOT).as_posix())
            if not check:
                path.write_text(after)
    if stale:
        print(("out of date: " if check else "rewritten: ") + ", ".join(stale))
    return 1 if stale and check else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
