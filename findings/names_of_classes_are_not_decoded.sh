#!/usr/bin/env bash
# A guess: decode() reads a .cls entry as it is written, a number or the name of the class.
# It reads numbers alone: a name raises DecodingError, whose text is empty. With handler=ignore_and_continue, which
# passes over broken files, the samples whose class is a name are gone, and those whose class is a number stay.
# Seen with webdataset 1.0.2.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q webdataset==1.0.2 numpy==2.4.6 braceexpand==0.1.7 pyyaml==6.0.3

cd "$folder"
bin/python -I - << 'EOF'
import io
import tarfile
from importlib.metadata import version

import webdataset

print("webdataset", version("webdataset"))
with tarfile.open("shard.tar", "w") as shard:
    for key, label in {"a": b"cat", "b": b"dog", "c": b"7"}.items():
        info = tarfile.TarInfo(f"{key}.cls")
        info.size = len(label)
        shard.addfile(info, io.BytesIO(label))


def dataset():
    return webdataset.WebDataset("shard.tar", shardshuffle=False)


assert [sample["cls"] for sample in dataset()] == [b"cat", b"dog", b"7"]
try:
    list(dataset().decode())
except Exception as error:
    print("decode():", repr(error))
    assert (type(error).__name__, str(error)) == ("DecodingError", "")
else:
    raise AssertionError
found = [sample["cls"] for sample in dataset().decode(handler=webdataset.ignore_and_continue)]
print("with ignore_and_continue:", found)
assert found == [7]
EOF
