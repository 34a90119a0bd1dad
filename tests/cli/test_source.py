"""PATH as samples and labels."""

from __future__ import annotations

import numpy as np

from curvdetect.cli.source import read_data
from tests.cli.conftest import write_table


def test_rows_of_numbers_are_standardized_and_shown_as_they_are_and_pictures_kept(tmp_path):
    X, y = np.arange(12.0).reshape(6, 2) * [1, 1000], ["a", "b"] * 3
    np.savez(tmp_path / "t.npz", X=X, y=y)
    for path in (tmp_path / "t.npz", write_table(tmp_path / "t.csv", X, y)):
        data = read_data(path)
        np.testing.assert_allclose(np.asarray(data.X).mean(0), 0, atol=1e-12)
        np.testing.assert_allclose(np.asarray(data.X).std(0), 1)
        assert np.array_equal(data.shown, X)
        assert (data.y.tolist(), data.rows) == (y, None)
    assert (data.label, list(data.X.columns)) == ("label", ["x0", "x1"])
    pictures = np.arange(6 * 192, dtype=np.uint8).reshape(6, 3, 8, 8)
    np.savez(tmp_path / "a.npz", X=pictures, y=y)
    assert np.array_equal(read_data(tmp_path / "a.npz").X, pictures)
