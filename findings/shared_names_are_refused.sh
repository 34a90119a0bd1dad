#!/usr/bin/env bash
# A guess: scikit-learn fits a frame of numbers whose columns share a name, with a warning at most; 1.8.0 does, without.
# 1.9.1 looks at frames through narwhals, which refuses this one: its estimators raise DuplicateError, a ValueError of
# another package. Names that are numbers count, so that two unnamed frames side by side, as
# pd.concat([A, B], axis=1) puts them, are refused too. X.to_numpy() is fitted.
# Seen with scikit-learn 1.9.1, narwhals 2.26.0 and pandas 3.1.1, in contrast to scikit-learn 1.8.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
cat > "$folder/fit.py" << 'EOF'
import sys

import numpy as np
import pandas as pd
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

print("scikit-learn", sklearn.__version__, "pandas", pd.__version__)
A = pd.DataFrame(np.arange(8.0).reshape(4, 2))
twice = {"names": A.set_axis(["a", "a"], axis=1), "numbers": pd.concat([A, A], axis=1)}


def seen(estimator, X):
    try:
        estimator.fit(X, [0, 0, 1, 1])
        found = "fitted"
    except ValueError as error:
        found = f"{type(error).__module__}.{type(error).__name__}"
    print(f"{type(estimator).__name__}, {getattr(X, 'columns', X.shape)}: {found}")
    return found


assert sklearn.__version__ == sys.argv[1]
expected = "fitted" if sys.argv[1] == "1.8.0" else "narwhals.exceptions.DuplicateError"
for X in twice.values():
    for estimator in (LogisticRegression(), KNeighborsClassifier(1), StandardScaler()):
        assert seen(estimator, X) == expected
        assert seen(estimator, X.to_numpy()) == "fitted"
EOF

for version in 1.8.0 1.9.1; do
  "$folder/bin/pip" install -q "scikit-learn==$version" pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 narwhals==2.26.0
  "$folder/bin/python" -I "$folder/fit.py" "$version"
done
