"""All experiments of the paper by one command."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.conftest import rows_of


@pytest.fixture
def scripts(script, tmp_path, monkeypatch):
    """Two scripts that say what they were called with; the second fails where it is told to."""
    text = "import sys; print(sys.argv[1:]); sys.exit('--fail' in sys.argv and 'two' in sys.argv[0])"
    for name in ("memorization", "two"):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(script, "SCRIPTS", {"memorization": "Table 1", "two": "Fig. 2"})
    monkeypatch.setattr(script, "__file__", str(tmp_path / "paper.py"))
    return script


def test_every_script_runs_once_and_is_timed(scripts, tmp_path, capsys):
    out = tmp_path / "out"
    for _ in range(2):
        scripts.main(["--out", str(out), "--keep", str(tmp_path / "kept"), "--epochs", "1"])
    rows = rows_of(out)
    assert [row["script"] for row in rows] == ["memorization", "two"]
    assert all(row["seconds"] > 0 for row in rows)
    first, second = ((tmp_path / "kept" / f"{name}.log").read_text().strip() for name in ("memorization", "two"))
    place = str(tmp_path / "kept" / "memorization")  # no network of an earlier call shortens it
    assert first == str(["--out", place, "--keep", place, "--epochs", "1"])
    assert second == str(["--out", str(tmp_path / "kept" / "two"), "--epochs", "1"])
    table = (out / "table.md").read_text()
    cells = [
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in table.splitlines()
        if ".py`" in line and line.startswith("|")
    ]
    assert cells == [["`python reproduction/memorization.py`", "Table 1"], ["`python benchmarks/two.py`", "Fig. 2"]]
    assert table in capsys.readouterr().out


def test_a_script_that_fails_ends_it_and_the_next_call_goes_on(scripts, tmp_path):
    with pytest.raises(SystemExit, match=r"two\.py failed; its output is in .*two\.log"):
        scripts.main(["--out", str(tmp_path), "--fail"])
    assert len((tmp_path / "records.jsonl").read_text().splitlines()) == 1


def test_every_experiment_is_there_and_on_the_page(script):
    folder = Path(script.__file__).parent
    assert all((folder / f"{name}.py").exists() for name in script.SCRIPTS)
    page = (folder.parent / "docs" / "reproducing.md").read_text()
    assert all(f"`python benchmarks/{name}.py" in page for name in script.SCRIPTS)
