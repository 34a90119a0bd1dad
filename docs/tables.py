"""Copy the tables that benchmarks wrote into the documentation, so that none is ever typed.

    python docs/tables.py            # rewrite
    python docs/tables.py --check    # fail where something is out of date

A page asks for a section of a committed table by its heading:

    <!-- table benchmarks/results/mnist-4000/table.md "AUROC, %" -->
    <!-- end -->
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
SLOT = re.compile(r'(<!-- table (?P<path>\S+) "(?P<heading>[^"]+)" -->\n).*?(<!-- end -->)', re.DOTALL)


def section(path: str, heading: str) -> str:
    """Return what stands under a heading, and the command that made it."""
    text = (ROOT / path).read_text()
    body = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0].split("\nEnvironment:", 1)[0].strip()
    title = text.splitlines()[0].removeprefix("# ").strip()
    command = next(line for line in text.splitlines() if line.startswith("`python "))
    return f"{title}. {heading}.\n\n{body}\n\nMade by {command}; records and environment in [`{path}`]({path}).\n"


def filled(page: str, depth: int) -> str:
    """Return a page with its slots filled; links go up ``depth`` folders."""

    def fill(slot: re.Match[str]) -> str:
        text = section(slot["path"], slot["heading"]).replace(f"]({slot['path']})", f"]({'../' * depth}{slot['path']})")
        return f"{slot[1]}\n{text}\n{slot[4]}"

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
