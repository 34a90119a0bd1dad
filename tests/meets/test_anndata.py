"""Cells in anndata: sparse counts, labels as categories, files that are read as needed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix

from curvdetect import LeaveOneOutDetector, corrupt_labels

pytestmark = pytest.mark.meets("anndata")
N = 150
RNG = np.random.default_rng(0)
TRUE = np.arange(N) % 3
COUNTS = RNG.poisson(0.3 + 3 * (np.arange(30) % 3 == TRUE[:, None]), (N, 30)).astype(np.float32)
CODES, MASK = corrupt_labels(TRUE, 0.1, random_state=0)
TYPES = np.array(["cluster 2", "cluster 10", "cluster 1"])


def annotated(X):
    anndata = pytest.importorskip("anndata")
    types = pd.Categorical(TYPES[CODES], categories=["cluster 1", "cluster 2", "cluster 10"])
    obs = pd.DataFrame({"cell_type": types}, index=[f"cell {i}" for i in range(N)])
    return anndata.AnnData(X, obs=obs)


def fitted(X, y):
    return LeaveOneOutDetector(q=15, device="cpu", random_state=0).fit(X, y)


def test_sparse_counts_are_refused_and_dense_ones_ranked():
    """`adata.X` that is sparse is refused with the way out; `toarray()` with a category of `obs`: planted labels first.

    Classes are sorted by their text, so 10 comes before 2, whatever the order of the categories is.
    """
    cells = annotated(csr_matrix(COUNTS))
    with pytest.raises(TypeError, match=r"Sparse data was passed for X.*toarray"):
        fitted(cells.X, cells.obs["cell_type"])
    detector = fitted(cells.X.toarray(), cells.obs["cell_type"])
    assert MASK[detector.labels_ == 1].mean() > 0.8
    assert detector.classes_.tolist() == ["cluster 1", "cluster 10", "cluster 2"]
    with_frame = fitted(cells.to_df(), cells.obs["cell_type"])
    assert np.array_equal(with_frame.scores_, detector.scores_)


def test_findings_are_kept_with_the_cells_of_a_file(tmp_path):
    """A backed file: `adata.to_memory()` gets the scores of the array, and scores in `obs` are read from a new file."""
    anndata = pytest.importorskip("anndata")
    annotated(COUNTS).write_h5ad(tmp_path / "cells.h5ad")
    backed = anndata.read_h5ad(tmp_path / "cells.h5ad", backed="r")
    cells = backed.to_memory()
    detector = fitted(cells.X, cells.obs["cell_type"])
    assert np.array_equal(detector.scores_, fitted(COUNTS, TYPES[CODES]).scores_)
    cells.obs["suspect"] = detector.scores_
    cells.obs["suggested"] = pd.Categorical(detector.suggested_labels_)
    cells.write_h5ad(tmp_path / "judged.h5ad")
    read = anndata.read_h5ad(tmp_path / "judged.h5ad")
    assert read.obs["suspect"].idxmax() == f"cell {detector.ranking_[0]}"
    assert read.obs["suggested"].tolist() == detector.suggested_labels_.tolist()
    backed.file.close()
