"""The table of packages that tests use together with curvdetect, by the record of their last run.

`.ci/meets` runs the tests marked ``meets`` and writes the record. Of each test the table has the docstring: its first
paragraph says what was tried and checked, the second what to know.
"""

from __future__ import annotations

import ast
import json
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parent.parent
RECORD = ROOT / "tests" / "meets" / "versions.json"


def said(path: str, name: str) -> tuple[str, str]:
    """Return the first paragraph of a test's docstring, and the second."""
    tree = ast.parse((ROOT / path).read_text())
    function = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name)
    first, _, second = (ast.get_docstring(function) or "").partition("\n\n")
    return " ".join(first.split()), " ".join(second.split())


def rows(record: dict[str, dict]) -> list[tuple[str, str, str, str]]:
    """Return for each package its name, the version, what was tried, and what to know."""
    tests: dict[str, dict[tuple[str, str], list[dict]]] = defaultdict(lambda: defaultdict(list))
    for node, entry in record.items():
        path, name = node.split("[")[0].split("::")
        tests[", ".join(entry["packages"])][path, name].append(entry)
    return [(names, *cells(found)) for names, found in sorted(tests.items(), key=lambda row: row[0].lower())]


def cells(found: dict[tuple[str, str], list[dict]]) -> tuple[str, str, str]:
    """Return the version, what was tried, and what to know of one row."""
    ran = [one["packages"].values() for entries in found.values() for one in entries if one["outcome"] != "skipped"]
    versions = {", ".join(packages) for packages in ran}
    tried, notes = [], []
    for (path, name), entries in found.items():
        first, second = said(path, name)
        failing = [one for one in entries if one["outcome"] != "passed"]
        if failing:
            run = "not run" if all(one["outcome"] == "skipped" for one in failing) else "failed"
            first, second = f"{run} ({failing[0]['why']}): {first}", ""
        tried.append(f"{first} [Test](../{path})")
        notes.append(second)
    return "; ".join(sorted(versions)), " ".join(tried), " ".join(filter(None, notes))


def environments(record: dict[str, dict]) -> str:
    """Return in which environments the tests ran."""
    ran: dict[tuple[str, ...], set[str]] = defaultdict(set)
    for entry in record.values():
        if entry["outcome"] != "skipped":
            ran[tuple(f"{name} {version}" for name, version in entry["beside"].items())].update(entry["packages"])
    most, *others = sorted(ran.items(), key=lambda one: -len(one[1]))
    lines = [f"All ran on a CPU with {', '.join(most[0])}."]
    for versions, packages in others:
        other = [version for version in versions if version not in most[0]]
        lines.append(f"{', '.join(sorted(packages, key=str.lower))}: with {', '.join(other)}.")
    return "\n\n".join(lines)


def table() -> str:
    """Return the table, and the environments below it."""
    record = json.loads(RECORD.read_text())
    lines = ["| package | version | what was tried and checked | what to know |", "|---|---|---|---|"]
    lines += [f"| {' | '.join(row)} |" for row in rows(record)]
    return "\n".join(lines) + "\n\n" + environments(record)
