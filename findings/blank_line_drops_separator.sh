#!/usr/bin/env bash
# A guess: read_csv reads a file alike whether its lines end in "\n" or in "\r", as it passes over blank lines in both.
# Behind a blank line that ends in "\r" the C parser drops a separator with which the next row begins. The first cell
# of that row is empty; it gets lost, all others move one column to the left, and the last column is filled up.
# The Python parser reads it right, and so does the C parser with lineterminator="\r" or skip_blank_lines=False.
# Seen with pandas 3.1.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q pandas==3.1.1 numpy==2.4.6

"$folder/bin/python" -I - "$folder/table.csv" << 'EOF'
import sys
from pathlib import Path

import pandas as pd

print("pandas", pd.__version__)
path = Path(sys.argv[1])
right, moved = ["", "4", "b"], ["4", "b", ""]


def second_row(end, blank=True, **options):
    lines = ["x,y,label", "1,2,a", *[""] * blank, ",4,b", "5,6,c"]
    path.write_bytes("".join(line + end for line in lines).encode())
    rows = pd.read_csv(path, dtype=str, keep_default_na=False, **options)
    row = rows[rows.any(axis=1)].values.tolist()[1]
    print(f"{end!r}, {'a' if blank else 'no'} blank line, {options}: {row}")
    return row


assert second_row("\r") == moved
assert second_row("\n") == second_row("\r\n") == right
assert second_row("\r", blank=False) == right
assert second_row("\r", engine="python") == right
assert second_row("\r", lineterminator="\r") == right
assert second_row("\r", skip_blank_lines=False) == right
EOF
