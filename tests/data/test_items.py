"""Items of a dataset are read as input and label, whoever made them, or it is said what is wrong with which."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Image, Value
from PIL import Image as Pictures
from torch.utils.data import Subset

from curvdetect import CurvatureNoiseDetector
from curvdetect.data.items import read_item
from curvdetect.data.samples import HeldInputs, as_samples
from tests.cases import Items
from tests.pretended import DEVICE, pretended

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 12
PIXELS = np.random.default_rng(0).integers(0, 256, (N, 8, 8, 3), dtype=np.uint8)
PICTURES = [Pictures.fromarray(pixels) for pixels in PIXELS]
CODES = [i % 3 for i in range(N)]
NAMES = ["zebra", "ant", "bee"]
NUMBERED = Features({"image": Image(), "label": ClassLabel(names=NAMES)})


def hugging_face(features=NUMBERED, codes=CODES):
    return Dataset.from_dict({"image": PICTURES, "label": codes}, features=features)


def halved(items):
    return {"image": [np.asarray(p).transpose(2, 0, 1) / 510 for p in items["image"]], "label": items["label"]}


FORMATS = {
    "plain": (hugging_face(), 255),
    "torch": (hugging_face().with_format("torch"), 255),
    "numpy": (hugging_face().with_format("numpy"), 255),
    "transform": (hugging_face().with_transform(halved), 510),
    "shuffled": (hugging_face().add_column("id", list(range(N))).select_columns(["label", "image"]), 255),
    "subset": (Subset(hugging_face(), range(N)), 255),
}


@pytest.mark.parametrize(("dataset", "scale"), FORMATS.values(), ids=FORMATS)
def test_hugging_face_datasets_are_read_in_every_format_with_the_names_of_classes(dataset, scale):
    samples = as_samples(dataset)
    assert isinstance(samples.inputs, HeldInputs)
    assert samples.classes[samples.labels].tolist() == [NAMES[code] for code in CODES]
    np.testing.assert_allclose(samples.batch(torch.arange(N)), PIXELS.transpose(0, 3, 1, 2) / scale, rtol=1e-6)


def test_hugging_face_pictures_are_fitted_ranked_and_found_again():
    dataset = hugging_face()
    detector = CurvatureNoiseDetector(max_epochs=1, device="cpu", random_state=0).fit(dataset)
    array = CurvatureNoiseDetector(max_epochs=1, device="cpu", random_state=0).fit(
        PIXELS.transpose(0, 3, 1, 2), [NAMES[code] for code in CODES]
    )
    assert np.array_equal(detector.scores_, array.scores_)
    assert set(detector.ranking()["given"]) == set(NAMES)
    assert np.array_equal(detector.score_samples(dataset.select([5, 2])), detector.scores_[[5, 2]])


def test_labels_of_a_hugging_face_dataset_that_are_not_classes_stay_as_they_are():
    features = Features({"image": Image(), "label": Value("int32")})
    assert as_samples(hugging_face(features)).classes.tolist() == [0, 1, 2]
    assert as_samples(hugging_face(codes=[*CODES[:-1], -1]), CODES).classes.tolist() == [0, 1, 2]


def test_codes_of_class_encode_column_are_in_the_order_of_text_and_go_by_their_names():
    numbers = [1, 2, 10] * 4
    dataset = hugging_face(Features({"image": Image(), "label": Value("int32")}), numbers).class_encode_column("label")
    samples, codes = as_samples(dataset), as_samples(dataset, dataset["label"])
    assert samples.classes[samples.labels].tolist() == list(map(str, numbers))
    assert codes.classes[codes.labels].tolist() == [0, 2, 1] * 4
    assert dataset.features["label"].int2str(dataset["label"]) == list(map(str, numbers))


X4 = torch.arange(8.0).reshape(4, 2)
DICTIONARIES = {
    "usual_names": [{"x": x, "y": i % 2} for i, x in enumerate(X4)],
    "one_beside_the_label": [{"vector": x, "target": i % 2} for i, x in enumerate(X4)],
    "others_beside_a_usual_name": [{"id": i, "x": x, "labels": i % 2} for i, x in enumerate(X4)],
    "lists": [{"x": x.tolist(), "y": i % 2} for i, x in enumerate(X4)],
    "read_only_arrays": [{"x": np.broadcast_to(x.numpy(), 2), "y": i % 2} for i, x in enumerate(X4)],
    "big_endian_arrays": [{"x": x.numpy().astype(">f8")[::-1][::-1], "y": i % 2} for i, x in enumerate(X4)],
}


@pytest.mark.parametrize("items", DICTIONARIES.values(), ids=DICTIONARIES)
def test_dictionaries_are_read_by_the_names_of_their_columns(items, recwarn):
    samples = as_samples(Items(items))
    assert torch.equal(samples.batch(torch.arange(4)), X4[:, : samples.shape[0]])
    assert samples.labels.tolist() == [0, 1, 0, 1]
    assert not recwarn.list


def test_what_lies_on_a_device_is_read_to_the_host():
    with pretended():
        x, _ = read_item(Items([(torch.zeros(3, device=DEVICE), 0)]), 0)
        assert x.device.type == "cpu"
