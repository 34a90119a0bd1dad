"""The comparison with other packages, for which stand-ins with the same calls are here: CI does not install them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from tests.benchmarks.conftest import rows_of

WORDS = "--peers digits --samples 80 --epochs 2 --repeats 1 --threads 1 --device cpu --out"


class AUMCalculator:
    """Sums the margins of each sample, and writes their means in another order."""

    def __init__(self, save_dir, compressed=True):
        self.save_dir, self.margins = Path(save_dir), {}

    def update(self, logits, targets, sample_ids):
        assert not logits.requires_grad
        own = logits.gather(1, targets[:, None])[:, 0]
        others = logits.scatter(1, targets[:, None], -np.inf).amax(1)
        for i, margin in zip(sample_ids, (own - others).tolist(), strict=True):
            self.margins.setdefault(i, []).append(margin)

    def finalize(self):
        lines = [f"{i},{np.mean(self.margins[i])}" for i in sorted(self.margins, key=lambda i: self.margins[i][-1])]
        (self.save_dir / "aum_values.csv").write_text("\n".join(["sample_id,aum", *lines]))


class KNNShapleyValuation:
    """Values samples by how many of the others have their label, in another order."""

    def __init__(self, model, test_data, progress):
        self.test = test_data

    def fit(self, data):
        (X, y), (others, labels) = data, self.test
        near = np.linalg.norm(X[:, None] - others, axis=2).argsort(1)[:, :5]
        order = np.arange(len(y))[::-1]
        self.result = SimpleNamespace(indices=order, values=(labels[near] == y[:, None]).mean(1)[order])
        return self


class Outliers:
    def __init__(self, **params):
        pass

    def fit(self, X):
        self.decision_scores_ = np.linalg.norm(X - X.mean(0), axis=1)
        return self


def test_without_the_packages_it_says_how_to_install_them(load, monkeypatch, tmp_path):
    speed = load("speed")
    monkeypatch.setitem(sys.modules, "aum", None)
    with pytest.raises(SystemExit, match=r"--peers needs aum .*\n\n    pip install"):
        speed.main([*WORDS.split(), str(tmp_path)])
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_method_ranks_wrong_labels_and_is_measured_once(load, few_chains, monkeypatch, tmp_path, capsys):
    speed = load("speed")
    content = {
        "aum": {"AUMCalculator": AUMCalculator},
        "pydvl": {},
        "pydvl.valuation": {"Dataset": lambda x, y: (x, y), "KNNShapleyValuation": KNNShapleyValuation},
        "pyod": {},
        "pyod.models": {},
        "pyod.models.knn": {"KNN": Outliers},
        "pyod.models.iforest": {"IForest": Outliers},
    }
    for name, names in content.items():
        module = ModuleType(name)
        vars(module).update(names)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(speed.peers, "version", lambda name: "1.0")
    speed.main([*WORDS.split(), str(tmp_path)])
    rows = {row["method"]: row for row in rows_of(tmp_path)}
    assert list(rows) == list(speed.peers.JOBS)
    see_labels = [name for name in rows if name.startswith(("aum", "pyDVL")) or name.endswith(("regression", "class"))]
    assert len(see_labels) == 5
    assert all(rows[name]["auroc"] > 0.7 for name in see_labels)
    assert rows["PyOD: k nearest neighbours"]["auroc"] < 0.7
    assert rows["LossDetector()"]["environment"]["pydvl"] == "1.0"
    table = (tmp_path / "table.md").read_text()
    assert table in capsys.readouterr().out
    assert "   precision at the true count, % |" in table
    monkeypatch.setattr(speed.peers, "measured", lambda *args, **options: pytest.fail("measured again"))
    speed.main([*WORDS.split(), str(tmp_path)])
    assert (tmp_path / "table.md").read_text() == table
