"""Every script at a tiny size, and every committed table from its records."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image
from torch import nn

from tests.benchmarks.conftest import FOLDER, PAPER, SCRIPTS, rows_of
from tests.written import write_pictures

CPU = "--device cpu --threads 1"
#: Options that make a script small, and the number of records that it leaves.
TINY = {
    "ablations": (f"--subset 60 --epochs 1 --n 2 --seeds 4 --reference REFERENCE {CPU}", 2),
    "architectures": (f"--subset 60 --epochs 1 --nets vgg13_bn mobilenet_v2 --seeds 0 --reference REFERENCE {CPU}", 5),
    "boxes": (f"--subset 60 --seeds 0 --cuts 'squeezed, margin 10 %' '3 pixels' {CPU}", 2),
    "corruption": ("--subset 100 --epochs 1 --rates 0.2 --seeds 0 --jobs 1 --device cpu", 33),
    "duplicates": (f"--dataset folder --data-dir FOLDER --size 16 --pairs 3 --top 5 --epochs 1 {CPU}", 2),
    "dynamics": (f"--subset 60 --held-out 20 --epochs 3 --n 1 --seeds 1 --reference REFERENCE {CPU}", 4),
    "embeddings": ("--data-dir FOLDER --size 16 --input-size 16 --cache CACHE --noises '30 %' --seeds 0", 1),
    "held_out": (f"--subset 100 --epochs 2 --top 10 --shown 4 --rates 0 0.1 {CPU}", 4),
    "finetuning": ("--data-dir FOLDER --side 16 --epochs 2 --noises '30 %' --seeds 0 --checkpoint-dir KEPT", 4),
    "histograms": (f"--subset 100 --epochs 1 --rate 0.1 {CPU}", 1),
    "imagenet": (f"--data-dir FOLDER --epochs 1 --every 1 --batch-size 8 --rate 0.1 --duplicates {CPU}", 1),
    "leave_one_out": ("--samples 200 --columns 12 --growth 300 --regularizations 0.01 1", 4),
    "length": ("--kinds iris --lengths 1 2 --rates 0.1 --pair-rates 0.1 --seeds 0 --device cpu", 4),
    "memorization": (f"--subset 60 --nets 16 --pairs 4 --epochs 1 --seeds 0 --n 1 10 --jobs 1 {CPU}", 3),
    "noise_rate": (f"--subset 100 --epochs 2 --rates 0 0.1 --pair-rates 0.1 --seeds 1 {CPU}", 3),
    "pareto": (f"--subset 60 --epochs 8 --seeds 1 {CPU}", 42),
    "picture_table": (f"--pictures 40 --classes 2 {CPU}", 2),
    "plan": (f"--side 32 --samples 4 --batch-size 4 --pictures 2 --memory-samples 400 --repeats 1 {CPU}", 3),
    "real_errors": ("--errors ERRORS --with-train --keep-scores KEPT --seeds 0 --device cpu", 1),
    "robustness": ("--kinds iris '100 pictures' --seeds 0 --rates 0.1 --learning-rates 0.1 --epochs 2 --device cpu", 2),
    "startup": ("--before ROOT --turns 1", 6),
    "versions": ("--before ROOT --rows 60 --seeds 0 1 --detector LeaveOneOutDetector --device cpu", 2),
    "witnesses": ("--kinds iris --noises group --seeds 0 --rates 0.1 --epochs 2 --device cpu", 1),
    "scan": ("--per-class 10 --epochs 1 --size 16 --device cpu --work WORK", None),
    "scored_epochs": ("--kinds iris --seeds 0 --noises uniform:0.1 --epochs 12 --device cpu", 1),
    "speed": (f"--layouts table --samples 64 --repeats 1 {CPU}", 18),
    "tables": ("--rows 60", 1),
    "texts": ("--packages click skorch --each 30 --encoders parts/30 --seeds 0", 1),
    "top_samples": (f"--subset 100 --epochs 1 --pairs 4 --top 10 --shown 4 --weight-decay 0 {CPU}", 3),
    "toy": ("--epochs 4 --n 1 --seeds 3", 2),
}

#: Scripts whose tables have all measures of a ranking.
FOUR = ("corruption", "embeddings", "finetuning", "real_errors", "texts", "witnesses")


def measure_nothing(script, monkeypatch):
    """Let a script fail where it has no record of something."""
    known = script.Records.__contains__
    monkeypatch.setattr(script.Records, "__contains__", lambda *args: known(*args) or pytest.fail("measured again"))


def draw_nothing(monkeypatch):
    """Let figures be saved as a blank, since drawing takes most of the time."""
    blank = Image.new("RGB", (1, 1))
    monkeypatch.setattr(Figure, "savefig", lambda self, to, **options: blank.save(to, "PNG"))


def run_here(script, name):
    """Return what does in this process what a script starts another one for."""

    def run(words, cwd=".", **kwargs):
        if name == "scan":
            part, seen, *call = words[3:]
            with contextlib.chdir(cwd), contextlib.redirect_stdout(io.StringIO()) as said:
                script.phases.watch(seen, *call) if part == "watch" else said.write("100.0")
            return SimpleNamespace(stdout=said.getvalue())
        if name == "picture_table":
            return SimpleNamespace(stdout=f"{script.json.dumps(script.alone(*words[-2:]))}\n")
        if name == "leave_one_out":
            return SimpleNamespace(stdout=f"{script.json.dumps(script.alone(words[-1]))}\n")
        if name == "versions":
            code, *arguments = words[2:]
            with patch("sys.argv", ["-c", *arguments]), contextlib.redirect_stdout(io.StringIO()) as said:
                exec(code, {})
            return SimpleNamespace(stdout=said.getvalue(), returncode=0)
        way, n, *_ = words[words.index("--memory-of") + 1 :]
        found = (
            script.peak_of(way, int(n), 4) + int(n)
            if name == "plan"
            else script.memory_of("table", int(way), script.parse([]))
        )
        return SimpleNamespace(stdout=f"a warning\n{found}\n")

    return run


@pytest.mark.usefixtures("few_chains")
@pytest.mark.parametrize("name", TINY)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_script_leaves_records_and_a_table_and_measures_nothing_twice(load, name, tmp_path, monkeypatch, capsys):
    script, (words, n_records) = load(name), TINY[name]
    write_pictures(tmp_path / "pictures", n=12)
    reference = pd.DataFrame({"memorization": np.linspace(0, 1, 60) ** 2}).rename_axis("index")
    reference.to_csv(tmp_path / "memorization.csv")
    places = {"REFERENCE": "memorization.csv", "FOLDER": "pictures", "WORK": "work"}
    places |= {"CACHE": "cache", "KEPT": "kept", "ERRORS": "errors.json", "ROOT": Path(__file__).parents[2]}
    call = [str(tmp_path / places[word]) if word in places else word for word in shlex.split(words)]
    call += ["--out", str(tmp_path / "out")]
    if name in ("plan", "speed", "scan", "leave_one_out", "picture_table", "versions"):
        monkeypatch.setattr("subprocess.run", run_here(script, name))
    if name == "real_errors":  # of pictures that have to be there
        test = SimpleNamespace(data=torch.arange(20 * 64).reshape(20, 8, 8) % 251, targets=torch.arange(20) % 2)
        monkeypatch.setattr(script, "MNIST", lambda *args, **options: test)
        (tmp_path / "errors.json").write_text('[{"id": 3, "mturk": {"given": 1}}, {"id": 4, "mturk": {"given": 3}}]')
    if name in ("embeddings", "finetuning"):  # whose network is in a wheel
        network = nn.Module()
        network.extract_features = nn.Conv2d(3, 8, 3)
        monkeypatch.setattr(script, "network", lambda: network)
    script.main(call)
    table = (tmp_path / "out" / "table.md").read_text()
    assert table in capsys.readouterr().out
    assert "## " in table
    assert name != "real_errors" or (tmp_path / "out" / "suspects.png").stat().st_size > 1000
    assert not re.search(r"\b(nan|inf)\b", table)
    if name in FOUR:
        assert all(measure in table for measure in ("AUROC, %", "Average precision, %", "Precision at the true count"))
    if n_records is not None:
        assert len(rows_of(tmp_path / "out")) == n_records
        measure_nothing(script, monkeypatch)
        draw_nothing(monkeypatch)
        script.main(call)
        assert (tmp_path / "out" / "table.md").read_text() == table


def test_every_script_is_tried_and_those_of_the_paper_are_on_its_page():
    assert {*TINY, "paper"} == set(SCRIPTS)
    page = (FOLDER.parent / "docs" / "reproducing.md").read_text()
    assert all(f"`python reproduction/{name}.py" in page for name, folder in SCRIPTS.items() if folder == PAPER)


def test_the_papers_scripts_run_one_after_the_other_until_one_fails(load, tmp_path, monkeypatch):
    paper = load("paper")
    assert set(paper.SCRIPTS) == {name for name, folder in SCRIPTS.items() if folder == PAPER} - {"paper"}
    text = "import sys; print(sys.argv[1:]); sys.exit('--fail' in sys.argv and 'two' in sys.argv[0])"
    for name in ("memorization", "two"):
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(paper, "SCRIPTS", {"memorization": "Table 1", "two": "Fig. 2"})
    monkeypatch.setattr(paper, "__file__", str(tmp_path / "paper.py"))
    out = tmp_path / "out"
    for _ in range(2):
        paper.main(["--out", str(out), "--epochs", "1"])
    assert [row["script"] for row in rows_of(out)] == ["memorization", "two"]
    assert (out / "two.log").read_text().strip() == str(["--out", str(out / "two"), "--epochs", "1"])
    assert "`python reproduction/two.py`" in (out / "table.md").read_text()
    with pytest.raises(SystemExit, match=r"two\.py failed; its output is in .*two\.log"):
        paper.main(["--out", str(tmp_path / "failed"), "--fail"])
    assert len(rows_of(tmp_path / "failed")) == 1


TABLES = sorted(path for folder in (FOLDER, PAPER) for path in folder.glob("results/**/table.md"))


def made(*shape: int):
    """Return pictures and labels in the place of data that are not here: tables don't depend on them."""
    return np.zeros(shape, dtype=np.uint8), np.arange(shape[0]) % 10


def without_data(script, name, result, monkeypatch):
    """Replace whatever reads large data, trains or draws."""
    draw_nothing(monkeypatch)
    if hasattr(script, "data"):
        real, both = script.data.load, script.data.load_both

        def load(name, data_dir, *, subset=None, **options):
            if name == "digits":
                return real(name, data_dir, subset=subset)
            return made(subset or rows_of(result)[0]["n_samples"], 1, 8, 8)

        def load_both(name, *args, subset=None, **options):
            return both(name, *args, subset=subset) if name == "digits" else (*made(subset, 1, 8, 8),) * 2

        monkeypatch.setattr(script.data, "load", load)
        monkeypatch.setattr(script.data, "load_both", load_both)
    if name == "imagenet":
        X, y = made(600, 3, 8, 8)
        views = [(script.torch.from_numpy(x), 0) for x in X]
        monkeypatch.setattr(script, "two_views", lambda root, args: (views, y.astype(str), []))
    if name == "histograms":
        monkeypatch.setattr(
            script, "measured", lambda X, *args: (dict.fromkeys(script.MEANS, np.linspace(0.1, 1, len(X))), 1.0)
        )
    if name == "memorization":
        known = script.memorization.read(result / "memorization.csv")
        monkeypatch.setattr(script, "compared_with", lambda *args: known)
        monkeypatch.setattr(script, "found_in", lambda *args: [])
        names = [*script.SIGNALS, *(script.setting(*which) for which in (script.AUTHORS, script.PAPER))]
        fit = SimpleNamespace(signals=dict.fromkeys(names, known.values))
        monkeypatch.setattr(script, "trained", lambda *args: fit)
    if name == "leave_one_out":
        monkeypatch.setattr(script, "features", lambda n, *args: (np.zeros((n, 1)), np.arange(n) % 10))
    if name == "toy":
        parts = script.trained({"seed": 0, "averages": 0.1}, script.parse(["--epochs", "1"]), looking=True)
        monkeypatch.setattr(script, "trained", lambda *args, looking: parts)
        monkeypatch.setattr(script, "still", lambda *args: None)


#: Sections that need more than the records: rankings of all samples, or pairs in data that are not here.
NOT_HERE = {"memorization": ("Memorization", "The 100 most memorized"), "top_samples": ("Members of", "Contradictions")}


def sections(text: str, but: tuple[str, ...]) -> list[str]:
    """Return the sections of a table."""
    return [section for section in re.split(r"^## ", text, flags=re.MULTILINE) if not section.startswith(but)]


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.parent.name)
def test_committed_tables_come_from_their_records(load, table: Path, tmp_path, monkeypatch):
    text = table.read_text()
    command = re.search(r"^`python (.*)`$", text, re.MULTILINE)[1]
    path, *words = shlex.split(command)
    name, out = Path(path).stem, tmp_path / "out"
    script = load(name)
    shutil.copytree(table.parent, out)
    monkeypatch.setattr("sys.argv", [str(FOLDER.parent / path), *words])
    monkeypatch.chdir(FOLDER.parent)
    without_data(script, name, table.parent, monkeypatch)
    if name == "scan":
        record = script.json.loads((out / "record.json").read_text())
        script.render(record, script.parse(words).title, out)
    else:
        measure_nothing(script, monkeypatch)
        assert words[words.index("--out") + 1] == table.parent.relative_to(FOLDER.parent).as_posix()
        script.main([*words, "--out", str(out)])
    but = NOT_HERE.get(name, ()) if name == "memorization" or "digits" not in table.parent.name else ()
    assert sections((out / "table.md").read_text(), but) == sections(text, but)
