"""The commands of docs/command-line.md print what the page says."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from curvdetect.cli import main
from tests.cli.conftest import QUICK, read_csv, write_verdicts

PAGE = (Path(__file__).parents[2] / "docs" / "command-line.md").read_text(encoding="utf-8")


def without_numbers(text: str) -> list[str]:
    """Return lines with every number made ``#``, which differ by machine, in an order of their own."""
    return sorted(re.sub(r"\s+", " ", re.sub(r"\d+(\.\d+)?", "#", line)) for line in text.splitlines())


def test_every_command_of_the_page_runs_and_prints_what_it_says(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code, {})
    commands = re.findall(r"```console\n\$ curvdetect (.*?)\n(.*?)```", PAGE, re.DOTALL)
    assert [shlex.split(command)[0] for command, _ in commands] == ["scan", "report", "apply", "compare"]
    for command, printed in commands:
        name, *args = shlex.split(command)
        if name == "apply":
            _verdicts(tmp_path)
        if name in ("scan", "compare"):
            args += QUICK  # the last --epochs holds
        result = run(name, *args)
        assert result.exit_code == 0, result.stderr
        assert without_numbers(result.stdout) == without_numbers(printed)


def test_every_option_of_the_page_is_there():
    options = {name for command in main.commands.values() for param in command.params for name in param.opts}
    ours = re.sub(r"`python benchmarks/.*?`", "", PAGE)  # a benchmark has options of its own
    assert set(re.findall(r"--[a-z][a-z-]*", ours)) - options == {"--help"}


def _verdicts(folder: Path) -> None:
    rows = []
    for row, verdict in zip(read_csv(folder / "found" / "suspects.csv"), ["wrong", "wrong", "right"], strict=False):
        new = row["suggested"] if verdict == "wrong" else row["given"]
        rows.append([row["index"], "", row["given"], row["suggested"], verdict, new])
    write_verdicts(folder / "verdicts.csv", *rows)
