#!/usr/bin/env bash
# A guess: a Series in the order of the cells, numbered from 0, becomes a column of adata.obs as it is.
# AnnData names the cells "0", "1", ... by text, also where the frame they come from was numbered. pandas pairs by
# name, so that every cell gets NaN, without a word. What has only some of the names gives only those.
# Series.to_numpy() goes by position.
# Seen with anndata 0.12.19.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q anndata==0.12.19 pandas==2.3.3 numpy==2.3.5 scipy==1.17.1 scikit-learn==1.9.1

"$folder/bin/python" -I - << 'EOF'
import warnings
from importlib.metadata import version

import numpy as np
import pandas as pd
from anndata import AnnData

print("anndata", version("anndata"))
warnings.simplefilter("error")
adata = AnnData(np.zeros((3, 2), np.float32))
labels = pd.Series(["B", "T", "T"])
adata.obs["label"] = labels
adata.obs["score"] = pd.Series([0.1, 0.2, 0.3])
adata.obs["by position"] = labels.to_numpy()
print(adata.obs, adata.obs.index.tolist())
assert adata.obs_names.tolist() == ["0", "1", "2"]
assert adata.obs[["label", "score"]].isna().all(axis=None)
assert adata.obs["by position"].tolist() == ["B", "T", "T"]
EOF
