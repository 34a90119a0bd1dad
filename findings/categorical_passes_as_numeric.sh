#!/usr/bin/env bash
# A guess: dtype="numeric" of validate_data and check_array is numbers or an error, as a column of text is refused.
# A categorical column of text goes through, and so does a column of dtype object beside a categorical one: what comes
# back is an array of objects. Digits as text become numbers in a plain column, and stay text in a categorical one.
# Estimators that ask for floats, such as LogisticRegression, do refuse it.
# Seen with scikit-learn 1.9.1 and pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q scikit-learn==1.9.1 pandas==3.1.1 numpy==2.4.6 scipy==1.17.1 narwhals==2.26.0

"$folder/bin/python" -I - << 'EOF'
import pandas as pd
import sklearn
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import validate_data

print("scikit-learn", sklearn.__version__, "pandas", pd.__version__)


def seen(column, beside=(0.5, 1.5)):
    X = pd.DataFrame({"x": beside, "column": column})
    try:
        array = validate_data(BaseEstimator(), X, dtype="numeric")
        found = array.dtype.name, array.tolist()
    except ValueError as error:
        found = "refused", str(error)
    print(*X.dtypes, *found, sep=" | ")
    return found


plain, category = pd.Series(["red", "blue"], dtype=object), pd.Categorical(["red", "blue"])
assert seen(["red", "blue"])[0] == seen(plain)[0] == "refused"
assert seen(category) == ("object", [[0.5, "red"], [1.5, "blue"]])
assert seen(pd.Categorical([1, 2]), beside=plain) == ("object", [["red", 1], ["blue", 2]])
assert seen(pd.Categorical([1, 2]), beside=["red", "blue"])[0] == "refused"
assert seen(pd.Series(["1", "2"], dtype=object)) == ("float64", [[0.5, 1.0], [1.5, 2.0]])
assert seen(pd.Categorical(["1", "2"])) == ("object", [[0.5, "1"], [1.5, "2"]])
try:
    LogisticRegression().fit(pd.DataFrame({"column": category}), [0, 1])
except ValueError as error:
    print("LogisticRegression:", error)
else:
    raise AssertionError("LogisticRegression takes text")
EOF
