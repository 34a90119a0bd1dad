"""
A folder of pictures, and a page to judge them on
=================================================

Pictures in one folder a class, as most people have them: which of them lie in the wrong folder? In Python, and then
by a single command.
"""

# %%
# A folder
# --------
#
# Two photos come with scikit-learn, a temple and a flower. Cut into tiles they make a data set of two classes, in
# which a few tiles are put into the wrong folder.

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_sample_image

from curvdetect import corrupt_labels

SIDE = 16
tiles, names = [], []
for name in ("china", "flower"):
    photo = load_sample_image(f"{name}.jpg")[::2, ::2]
    for top in range(0, photo.shape[0] - SIDE, 2 * SIDE):
        for left in range(0, photo.shape[1] - SIDE, SIDE):
            tiles.append(photo[top : top + SIDE, left : left + SIDE])
            names.append(name)
folders, wrong = corrupt_labels(names, rate=0.08, random_state=0)

temporary = tempfile.TemporaryDirectory()
photos = Path(temporary.name, "photos")
for number, (tile, name) in enumerate(zip(tiles, folders, strict=True)):
    (photos / name).mkdir(parents=True, exist_ok=True)
    Image.fromarray(tile).save(photos / name / f"{number:03}.png")
(photos / "flower" / "torn.png").write_bytes(b"not a picture")
print(f"{len(tiles)} tiles, {wrong.sum()} of them in the wrong folder")

# %%
# In Python
# ---------
#
# ``load_image_folder`` reads it, pictures of any size and mode; what can't be read is left out and said.

import warnings

from curvdetect import load_image_folder

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    X, labels, paths = load_image_folder(photos, size=SIDE)
for warning in caught:
    print(str(warning.message).replace(temporary.name, ""))
moved = np.array([wrong[int(Path(path).stem)] for path in paths])
print(X.shape, X.dtype, np.unique(labels))

# %%
# The network for pictures is a small ResNet by default. Few epochs, to be quick: it has not memorized all labels
# then, and would warn of it. Orange titles are tiles that were moved.

from sklearn.exceptions import ConvergenceWarning

from curvdetect import CurvatureNoiseDetector, SuspectsDisplay

warnings.simplefilter("ignore", ConvergenceWarning)
detector = CurvatureNoiseDetector(q=24, max_epochs=12, random_state=0).fit(X, labels)
display = SuspectsDisplay.from_estimator(detector, X, k=24, n_columns=8)
for ax, sample in zip(display.axes_, detector.ranking_, strict=False):
    ax.title.set_color("#d55e00" if moved[sample] else "0.4")

# %%

from curvdetect.metrics import auroc, average_precision

for name, scores in detector.signal_scores_.items():
    print(f"{name:15} ROC AUC {auroc(moved, scores):.3f}, average precision {average_precision(moved, scores):.3f}")

# %%
# The least and the most suspect of each class. The former are what many of its tiles look like, sky or blurred
# leaves; what is rare in its class is hard to learn, and ranks high without being wrong, by the curvature more than
# by the loss:

from curvdetect import ExtremesDisplay

display = ExtremesDisplay.from_estimator(detector, X, k=8)

# %%
# A page to judge them on
# -----------------------
#
# ``write_report`` writes one HTML file that needs no network: suspects beside their look-alikes, with verdicts by
# mouse or keyboard. What it exports ``apply_verdicts`` puts into the labels. :doc:`../reviewing` shows it.

from curvdetect import write_report

page = write_report(detector, X, Path(temporary.name, "suspects.html"), paths=paths)
print(f"{page.name}: {page.stat().st_size / 1e6:.1f} MB")

# %%
# By a command
# ------------
#
# The same without Python, from the folder to the page::
#
#     curvdetect scan photos --out found
#
# It ranks by ``FusedDetector`` unless told otherwise.

import subprocess
import sys

command = "curvdetect scan photos --out found --detector loss --epochs 8 --size 16 --q 24 --seed 0"
done = subprocess.run([sys.executable, "-m", *command.split()], cwd=temporary.name, capture_output=True, text=True)
print(f"$ {command}\n{done.stdout}exit code {done.returncode}")

# %%

import pandas as pd

suspects = pd.read_csv(Path(temporary.name, "found", "suspects.csv"))
suspects[["path", "given", "suggested", "score", "rank"]].head()

# %%

top = suspects[suspects["flagged"]]["path"]
print(f"{sum(wrong[int(Path(path).stem)] for path in top)} of the {len(top)} flagged tiles lie in the wrong folder")
temporary.cleanup()

# %%
# All options: :doc:`../command-line`.
