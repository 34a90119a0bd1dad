#!/usr/bin/env bash
# A guess: after fit(X), decision_function gives a sample the score that it has whatever else is scored with it.
# ECOD and COPOD rank it within the training data and all that is scored in the same call. A sample that is an outlier
# by itself is none when 100 others come with it, and half of a batch of outliers pass. KNN, LOF and IForest keep the score.
# Seen with pyod 3.6.7.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q pyod==3.6.7 scikit-learn==1.9.1 numpy==2.3.5 scipy==1.17.1

"$folder/bin/python" -I - << 'EOF'
from importlib.metadata import version

import numpy as np
from pyod.models.copod import COPOD
from pyod.models.ecod import ECOD
from pyod.models.iforest import IForest
from pyod.models.knn import KNN
from pyod.models.lof import LOF

print("pyod", version("pyod"))
rng = np.random.default_rng(0)
X, others = rng.normal(size=(100, 2)), rng.normal(6, 1, (100, 2))
sample = np.array([[3.0, 3.0]])
batch = np.concatenate([sample, others])
for detector in (ECOD(), COPOD(), KNN(), LOF(), IForest(random_state=0)):
    detector.fit(X)
    alone, among = detector.decision_function(sample)[0], detector.decision_function(batch)[0]
    outlier = int(detector.predict(sample)[0]), int(detector.predict(batch)[0])
    one_by_one = sum(int(detector.predict(row[None])[0]) for row in others)
    together = int(detector.predict(others).sum())
    name = type(detector).__name__
    print(f"{name}: score {alone:.2f} alone, {among:.2f} among others; an outlier {outlier};", one_by_one, together)
    if name in ("ECOD", "COPOD"):
        assert alone > 4 * among and outlier == (1, 0)
        assert one_by_one == 100 and together < 60
    else:
        assert np.isclose(alone, among) and outlier == (1, 1)
        assert one_by_one == together == 100
EOF
