#!/usr/bin/env bash
# A guess: samplers that only choose rows of a DataFrame, and have their positions in sample_indices_, keep its index.
# RandomUnderSampler does. TomekLinks, EditedNearestNeighbours, NearMiss, RandomOverSampler and the others number the
# rows anew, as SMOTE does: the new numbers are names of other rows of the frame, and .loc finds these.
# Seen with imbalanced-learn 0.14.2, scikit-learn 1.9.1 and pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q imbalanced-learn==0.14.2 scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1

"$folder/bin/python" -I - << 'EOF'
from importlib.metadata import version

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, RandomOverSampler
from imblearn.under_sampling import EditedNearestNeighbours, NearMiss, OneSidedSelection, RandomUnderSampler, TomekLinks
from sklearn.datasets import make_classification

print("imbalanced-learn", version("imbalanced-learn"))
X, y = make_classification(300, weights=[0.8], random_state=0)
X = pd.DataFrame(X)
y = pd.Series(y, index=X.index)
found = {}
for sampler in (
    RandomUnderSampler(random_state=0),
    TomekLinks(),
    EditedNearestNeighbours(),
    NearMiss(),
    OneSidedSelection(random_state=0),
    RandomOverSampler(random_state=0),
    SMOTE(random_state=0),
):
    left, _ = sampler.fit_resample(X, y)
    name, chosen = type(sampler).__name__, getattr(sampler, "sample_indices_", None)
    if chosen is not None:
        assert np.array_equal(left.to_numpy(), X.to_numpy()[chosen])
    anew = list(left.index) == list(range(len(left)))
    same = not anew and left.equals(X.loc[left.index])
    found[name] = "kept" if same else "numbered anew" if anew else "?"
    print(f"{name}: {len(left)} rows, index {found[name]}, sample_indices_: {chosen is not None}")
assert found.pop("RandomUnderSampler") == "kept"
assert set(found.values()) == {"numbered anew"}
EOF
