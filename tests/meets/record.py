"""Hooks for tests marked ``meets``: they skip where a package is missing, and write what ran with which version."""

from __future__ import annotations

import json
import platform
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
BESIDE = ("numpy", "pandas", "scikit-learn", "torch", "skorch")


def pytest_addoption(parser):
    parser.addoption(
        "--record-meets",
        type=Path,
        metavar="FILE",
        help="Write into FILE which test marked 'meets' ran with which versions of its packages, and how it ended. "
        "Tests that passed by what FILE says already are left out.",
    )


def version(name: str) -> str | None:
    """Return the installed version of a distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def recorded(file: Path | None) -> dict[str, dict]:
    return json.loads(file.read_text()) if file and file.exists() else {}


def pytest_collection_modifyitems(config, items):
    known, left = recorded(config.getoption("--record-meets", None)), []
    for item in items:
        packages = {name: version(name) for mark in item.iter_markers("meets") for name in mark.args}
        if not packages:
            continue
        if missing := [name for name, there in packages.items() if there is None]:
            reason = f"{', '.join(missing)} not installed: python -m pip install {' '.join(missing)}"
            item.add_marker(pytest.mark.skip(reason=reason))
        if not config.getoption("--record-meets", None) and any(
            mark.kwargs.get("outside") for mark in item.iter_markers("meets")
        ):
            item.add_marker(pytest.mark.skip(reason="it takes long: .ci/meets runs it"))
        item.user_properties.append(("meets", packages))
        if known.get(item.nodeid, {}).get("outcome") == "passed":
            left.append(item)
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


def pytest_terminal_summary(terminalreporter, config):
    if (file := config.getoption("--record-meets", None)) is None:
        return
    known = recorded(file)
    beside = {"python": platform.python_version()} | {name: version(name) for name in BESIDE}
    for outcome in ("passed", "skipped", "failed", "error"):  # the worst comes last: an error may follow a pass
        for report in terminalreporter.stats.get(outcome, []):
            # a file that is skipped as a whole has no properties
            if packages := dict(getattr(report, "user_properties", ())).get("meets"):
                known[report.nodeid] = {"packages": packages, "outcome": outcome, "why": why(report), "beside": beside}
    file.write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n")


def why(report) -> str:
    """Return in a line why a test did not pass."""
    if report.passed:
        return ""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return getattr(report.longrepr, "reprcrash", report.longrepr).message.splitlines()[0]
