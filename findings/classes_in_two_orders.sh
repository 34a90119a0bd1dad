#!/usr/bin/env bash
# A guess: timm and torchvision read the numbers of classes off folders' names alike, so that a network and its labels
# can come from one each.
# torchvision sorts the names as text (1, 10, 2), timm by the numbers within them (1, 2, 10): the same picture is class
# 1 of one and class 2 of the other, without a word. And timm goes by the innermost folder: of plant/good and
# animal/good it makes one class, good, where torchvision has plant and animal.
# Seen with timm 1.0.31 and torchvision 0.29.1.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q timm==1.0.31 torch==2.14.1 torchvision==0.29.1 pillow==13.0.0 numpy==2.4.6

cd "$folder"
bin/python -I - << 'EOF'
from importlib.metadata import version
from pathlib import Path

from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

print("timm", version("timm"), "torchvision", version("torchvision"))


def classes(root, folders):
    """Return what class each library gives the one picture of each folder."""
    for name in folders:
        Path(root, name).mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(Path(root, name, "picture.png"))
    theirs = ImageFolder(root)
    found = {Path(path).parent.relative_to(root).as_posix(): [label] for path, label in theirs.samples}
    dataset = create_dataset("", root=root)
    for number, (_, label) in enumerate(dataset):
        found[Path(dataset.filename(number, absolute=True)).parent.relative_to(Path(root)).as_posix()].append(label)
    print(root, "torchvision, timm:", found)
    return found


assert classes("numbers", ["1", "2", "10"]) == {"1": [0, 0], "10": [1, 2], "2": [2, 1]}
assert classes("nested", ["animal/good", "plant/bad", "plant/good"]) == {
    "animal/good": [0, 1],
    "plant/bad": [1, 0],
    "plant/good": [1, 1],
}
EOF
