"""The default training against other learning rates, on a few kinds of data, and what the table says of it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.conftest import rows_of

KINDS = ["iris", "wide 300", "units", "half nearly constant", "Cauchy"]


def test_the_default_holds_where_a_plain_training_falls_apart(script, tmp_path, capsys):
    script.main(
        ["--kinds", *KINDS, "--seeds", "0", "--rates", "0.1", "--learning-rates", "0.03", "0.3", "--device", "cpu"]
        + ["--out", str(tmp_path)]
    )
    rows = {row["kind"]: row for row in rows_of(tmp_path)}
    assert list(rows) == KINDS
    for row in rows.values():
        assert row["highest_accuracy"] - row["end_accuracy"] <= script.FALL
        assert row["loss"] > 0.95
        assert row["loss"] > max(row["by_learning_rate"].values()) - 0.03
        assert row["recommended"] == row["loss"]
    assert "0 of them without the warning" in (tmp_path / "table.md").read_text()
    assert "lr 0.03" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["TABLES", "PICTURES"])
def test_every_kind_is_the_same_for_one_seed_and_finite(script, name):
    kinds = getattr(__import__("harness.kinds").kinds, name)
    for make in (kinds[key] for key in kinds if "000" not in key and "128" not in key):
        (X, y), (again, _) = make(3), make(3)
        assert np.array_equal(X, again)
        assert np.isfinite(np.float32(X)).all()
        assert len(X) == len(y)
