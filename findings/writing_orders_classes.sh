#!/usr/bin/env bash
# A guess: write_h5ad leaves the object in memory as it is, and categories come back in the order of text, as pandas'
# astype("category") and numpy.unique have them.
# It makes columns of text in which a word repeats categories, in memory too, in natural order: P7 before P14. A column
# of different words stays text. Codes from before the writing then mean other classes than codes after it.
# Seen with anndata 0.12.19 and pandas 2.3.3.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q anndata==0.12.19 pandas==2.3.3 numpy==2.4.6 h5py==3.16.0

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version

import anndata
import numpy as np
import pandas as pd

print("anndata", version("anndata"), "pandas", version("pandas"))
stages = ["P7", "P14", "P7", "P21"]
obs = pd.DataFrame({"stage": stages, "donor": ["d2", "d10", "d1", "d3"]}, index=list("abcd"))
adata = anndata.AnnData(np.eye(4, dtype="float32"), obs=obs)
before = adata.obs["stage"].astype("category").cat
print("before:", list(before.categories), before.codes.tolist())
assert adata.obs["stage"].dtype == object
adata.write_h5ad("cells.h5ad")
for where, seen in {"in memory": adata, "in the file": anndata.read_h5ad("cells.h5ad")}.items():
    after = seen.obs["stage"].cat
    print(f"after, {where}:", list(after.categories), after.codes.tolist(), "donor:", seen.obs["donor"].dtype)
    assert list(after.categories) == ["P7", "P14", "P21"]
    assert after.codes.tolist() == [0, 1, 0, 2]
    assert not isinstance(seen.obs["donor"].dtype, pd.CategoricalDtype)
assert list(before.categories) == sorted(set(stages)) == ["P14", "P21", "P7"]
assert before.codes.tolist() == [2, 0, 2, 1]
EOF
