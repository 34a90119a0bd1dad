"""The page on other packages shows what ran, and no meeting as working that did not."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.meets.record import pytest_terminal_summary

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def works_with(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    yield __import__("works_with")
    sys.modules.pop("works_with")


def marked() -> set[tuple[str, str]]:
    """Return files and names of the tests that are marked themselves, or with their whole file."""
    found = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        tree = ast.parse(path.read_text())
        whole = any(isinstance(n, ast.Assign) and "mark.meets(" in ast.unparse(n) for n in tree.body)
        tests = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")]
        chosen = [n for n in tests if whole or "mark.meets(" in " ".join(map(ast.unparse, n.decorator_list))]
        found.update((path.relative_to(ROOT).as_posix(), node.name) for node in chosen)
    return found


def test_every_marked_test_was_run_and_says_what_it_checks(works_with):
    record = json.loads(works_with.RECORD.read_text())
    recorded = {tuple(node.split("[")[0].split("::")) for node in record}
    assert marked() - recorded == set()  # run .ci/meets
    assert [test for test in recorded if not works_with.said(*test)[0]] == []


def test_what_did_not_pass_is_shown_with_its_reason(works_with):
    node = "tests/meets/test_skrub.py::test_a_detector_ends_a_tabular_pipeline"
    entry = {"packages": {"skrub": "1.0"}, "outcome": "passed", "why": "", "beside": {"python": "3"}}
    assert "not run" not in works_with.rows({node: entry})[0][2]
    skipped = entry | {"packages": {"skrub": None}, "outcome": "skipped", "why": "skrub not installed"}
    assert works_with.rows({node: skipped})[0][2].startswith("not run (skrub not installed)")
    failed = {f"{node}[{i}]": entry | {"outcome": "failed", "why": "ValueError: x"} for i in (1, 2)}
    assert works_with.rows(failed | {f"{node}[3]": entry})[0][2].startswith("failed (ValueError: x)")


def test_a_run_is_recorded_beside_earlier_ones(tmp_path):
    def report(node, outcome, longrepr=None):
        properties = [("meets", {"skrub": "0.11"})]
        return SimpleNamespace(nodeid=node, user_properties=properties, passed=outcome == "passed", longrepr=longrepr)

    crash = SimpleNamespace(reprcrash=SimpleNamespace(message="AssertionError: no\nmore"))
    stats = {
        "passed": [report("a", "passed"), SimpleNamespace(nodeid="other", user_properties=[])],
        "skipped": [report("b", "skipped", ("file", 3, "Skipped: not installed")), SimpleNamespace(nodeid="a file")],
        "failed": [report("c", "failed", crash)],
    }
    file = tmp_path / "record.json"
    file.write_text('{"z": {"outcome": "passed"}}')
    config = SimpleNamespace(getoption=lambda name, default: file)
    pytest_terminal_summary(SimpleNamespace(stats=stats), config)
    written = json.loads(file.read_text())
    assert {node: (one["outcome"], one.get("why")) for node, one in written.items()} == {
        "a": ("passed", ""),
        "b": ("skipped", "not installed"),
        "c": ("failed", "AssertionError: no"),
        "z": ("passed", None),
    }
    assert written["a"]["packages"] == {"skrub": "0.11"}
    assert written["a"]["beside"]["python"].startswith("3.")
