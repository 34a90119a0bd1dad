"""Networks and folders of timm, without a download."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.pipeline import make_pipeline

from curvdetect import ImageEmbedder, LeaveOneOutDetector, LossDetector, memorizing_net
from curvdetect.metrics import auroc
from tests.cases import noisy_digits
from tests.files.planted import NAMES, planted

pytestmark = [
    pytest.mark.meets("timm"),
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]
X, LABELS, MASK, _ = noisy_digits(200)
PIXELS = np.round(X * 255).astype(np.uint8).reshape(-1, 1, 8, 8)


def created(**options):
    timm = pytest.importorskip("timm")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return timm.create_model("resnet10t.c3_in1k", pretrained=False, **options)


def test_features_of_weights_in_a_file_find_planted_labels(tmp_path):
    """`ImageEmbedder("timm:NAME@FILE")` before a detector, by weights that `create_model` made: AUROC above 0.95."""
    torch.save(created().state_dict(), tmp_path / "weights.pt")
    embedder = ImageEmbedder(f"timm:resnet10t.c3_in1k@{tmp_path / 'weights.pt'}", size=32, device="cpu")
    pipeline = make_pipeline(embedder, LeaveOneOutDetector(device="cpu")).fit(PIXELS.repeat(3, axis=1), LABELS)
    assert auroc(MASK, pipeline[-1].scores_) > 0.95


def test_a_network_of_timm_is_trained_until_it_knows():
    """A network out of `create_model(in_chans=1, num_classes=10)` as `net`: AUROC of its loss above 0.85."""
    net = memorizing_net(created(in_chans=1, num_classes=10), batch_size=32, max_epochs=3)
    detector = LossDetector(net, device="cpu", random_state=0).fit(PIXELS, LABELS)
    assert auroc(MASK, detector.scores_) > 0.85


def test_a_folder_as_timm_reads_it(tmp_path):
    """A dataset of `timm.data.create_dataset` over a folder of classes: the planted files are named.

    Its labels are numbers; `dataset.reader.class_to_idx` has their names.
    """
    data = pytest.importorskip("timm.data")
    pictures, labels, wrong = planted()
    for i, (picture, code) in enumerate(zip(pictures, labels, strict=True)):
        (tmp_path / NAMES[code]).mkdir(exist_ok=True)
        picture.save(tmp_path / NAMES[code] / f"{i:02}.png")
    dataset = data.create_dataset("", root=str(tmp_path))
    found = LeaveOneOutDetector(device="cpu").fit(dataset).ranking(len(wrong))
    files = [dataset.filename(int(i)) for i in found["index"]]
    assert sorted(int(name[-6:-4]) for name in files) == wrong
    names = {code: name for name, code in dataset.reader.class_to_idx.items()}
    assert [name.split("/")[0] for name in files] == [names[code] for code in found["given"]]
