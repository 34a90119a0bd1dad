#!/usr/bin/env bash
# A guess: with converters={"label": str} a column is read as the text that is in the file, "NA" and empty cells too.
# The default parser of pandas 3.0.6 does that. In 3.1.1 what a converter returns is compared with the default words
# for missing values, and becomes NaN: the same line reads other labels, without a warning. pandas documents it.
# dtype=str alone keeps such text in neither. dtype=str with keep_default_na=False keeps it in both.
# Seen with pandas 3.1.1, in contrast to 3.0.6.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
cat > "$folder/read.py" << 'EOF'
import io
import sys

import pandas as pd

print("pandas", pd.__version__)


def labels(**options):
    column = pd.read_csv(io.StringIO("x,label\n1,NA\n2,\n3,007\n"), **options)["label"]
    print(f"{options}: {column.tolist()}")
    return [None if pd.isna(label) else label for label in column]


text, gaps = ["NA", "", "007"], [None, None, "007"]
assert pd.__version__ == sys.argv[1]
assert labels(converters={"label": str}) == (text if sys.argv[1] == "3.0.6" else gaps)
assert labels(dtype=str) == gaps
assert labels(dtype=str, keep_default_na=False) == text
assert labels(converters={"label": str}, keep_default_na=False) == text
EOF

for version in 3.0.6 3.1.1; do
  "$folder/bin/pip" install -q "pandas==$version" numpy==2.4.6
  "$folder/bin/python" -I "$folder/read.py" "$version"
done
