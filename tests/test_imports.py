"""What is imported, and when: public names at their first use, heavy packages where something is computed."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import curvdetect
import curvdetect.metrics

HEAVY = (
    *("torch", "sklearn", "scipy", "skorch", "skrub", "matplotlib", "cleanlab", "torchvision"),
    *("numpy", "pandas", "PIL"),
)
PROCESS = f"""
import sys
import curvdetect
dir(curvdetect), curvdetect.__all__, curvdetect.__version__
loaded = {{name: sys.modules.keys() & {set(HEAVY)} for name in ["the package"]}}
from click.testing import CliRunner
from curvdetect.cli import main
for command in ([], *([name] for name in main.commands)):
    assert CliRunner().invoke(main, [*command, "--help"]).exit_code == 0
    loaded[f"help of {{command}}"] = sys.modules.keys() & {set(HEAVY)}
assert not any(loaded.values()), loaded
from curvdetect import *
late = sys.modules.keys() & {"torchvision", "torch._dynamo", "matplotlib", "cleanlab", "skrub", "timm"}
assert not late, late  # each takes seconds, for which rows of numbers need not wait
"""


def test_neither_the_package_nor_the_help_of_a_command_loads_what_computes():
    done = subprocess.run([sys.executable, "-c", PROCESS], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_names_are_those_that_type_checkers_see_and_come_from_where_they_look():
    tree = ast.parse(Path(curvdetect.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    lines = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module]
    seen = {a.asname: f"curvdetect.{line.module}" for line in lines for a in line.names if a.asname == a.name}
    assert curvdetect.__all__ == sorted(seen)
    for name, module in seen.items():
        assert getattr(curvdetect, name) is getattr(sys.modules[module], name)
        assert getattr(curvdetect, name).__module__ == module
    assert {*seen, "metrics"} <= set(dir(curvdetect))
    rooms = {"data", "detectors", "features", "files", "metrics", "review", "signals", "training"}
    assert all(isinstance(getattr(curvdetect, room), ModuleType) for room in rooms)
    assert not rooms & {*curvdetect.__all__}
    everything: dict[str, object] = {}
    exec("from curvdetect import *", everything)
    assert everything.keys() - {"__builtins__"} == set(seen)


def test_a_module_is_an_attribute_what_is_no_name_an_error_and_pickles_know_their_modules(monkeypatch):
    metrics = sys.modules["curvdetect.metrics"]
    monkeypatch.delattr(curvdetect, "metrics")
    assert curvdetect.metrics is metrics
    with pytest.raises(AttributeError, match="No curvdetect attribute nothing"):
        curvdetect.nothing  # noqa: B018
    assert pickle.loads(pickle.dumps(curvdetect.fuse)) is curvdetect.fuse
