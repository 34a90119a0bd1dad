#!/usr/bin/env bash
# A guess: "?", ARFF's mark of a missing value, is read as missing in every column.
# SciPy makes NaN of it in a numeric column. In a nominal one it is the text b"?", though the header that SciPy returns
# beside it does not list it: a missing class becomes one class more. liac-arff returns None for both.
# Seen with scipy 1.17.1 and liac-arff 2.5.0.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q scipy==1.17.1 liac-arff==2.5.0 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
import io
from importlib.metadata import version

import arff
import numpy as np
from scipy.io.arff import loadarff

print("scipy", version("scipy"), "liac-arff", version("liac-arff"))
TEXT = """@relation fruit
@attribute weight numeric
@attribute class {apple, pear}
@data
1,apple
?,pear
3,?
"""
rows, header = loadarff(io.StringIO(TEXT))
print("scipy:", rows.tolist(), header["class"])
assert np.isnan(rows["weight"][1])
assert rows["class"].tolist() == [b"apple", b"pear", b"?"]
assert header["class"] == ("nominal", ("apple", "pear"))
assert len(np.unique(rows["class"])) == 3

rows = arff.loads(TEXT)["data"]
print("liac-arff:", rows)
assert rows == [[1.0, "apple"], [None, "pear"], [3.0, None]]
EOF
