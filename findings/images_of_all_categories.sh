#!/usr/bin/env bash
# A guess: getImgIds(catIds=[1, 2]) returns the images that have an annotation of category 1 or 2, as
# getAnnIds(catIds=[1, 2]) returns the annotations of either.
# It returns the images that have both. So a category without annotations among them leaves none.
# The union of getImgIds(catIds=[c]) over the categories is what was meant.
# Seen with pycocotools 2.0.11.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder"
"$folder/bin/pip" install -q pycocotools==2.0.11 numpy==2.4.6

"$folder/bin/python" -I - << 'EOF'
from importlib.metadata import version

from pycocotools.coco import COCO

print("pycocotools", version("pycocotools"))
CATEGORY_OF_BOX = {(1, "cat"), (2, "cat"), (2, "dog"), (3, "dog")}
NUMBERS = {"cat": 1, "dog": 2, "bird": 3}
coco = COCO()
coco.dataset = {
    "images": [{"id": image} for image in (1, 2, 3)],
    "categories": [{"id": number, "name": name} for name, number in NUMBERS.items()],
    "annotations": [
        {"id": number, "image_id": image, "category_id": NUMBERS[name], "bbox": [0, 0, 1, 1], "area": 1, "iscrowd": 0}
        for number, (image, name) in enumerate(sorted(CATEGORY_OF_BOX))
    ],
}
coco.createIndex()
images = {names: sorted(coco.getImgIds(catIds=coco.getCatIds(names.split()))) for names in ("cat", "dog", "cat dog", "cat bird")}
annotations = sorted(coco.getAnnIds(catIds=coco.getCatIds(["cat", "dog"])))
print("images:", images, "annotations of cat dog:", annotations)
assert images == {"cat": [1, 2], "dog": [2, 3], "cat dog": [2], "cat bird": []}
assert annotations == [0, 1, 2, 3]
EOF
