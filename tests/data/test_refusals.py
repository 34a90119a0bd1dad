"""What can't be samples, labels or pictures is refused by name, with a way out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from PIL import Image
from scipy.sparse import csr_array
from torch.utils.data import DataLoader, IterableDataset, Subset, TensorDataset
from torchvision.datasets import ImageFolder

from curvdetect import TwoViews, conflicting_duplicates, corrupt_labels, load_image_folder
from curvdetect.data import inputs
from curvdetect.data import samples as room
from curvdetect.data.batches import BatchLoader, IndexedLoader, Share
from curvdetect.data.items import columns, is_dataset, read_item
from curvdetect.data.labels import encode, plain, plain_labels
from curvdetect.data.pictures import as_pixels
from curvdetect.data.samples import as_samples, as_unlabelled
from tests.cases import Items
from tests.written import write_pictures

NAN = float("nan")
MISSING = {
    "none": ["a", None, "b"],
    "nan": [1.0, NAN, 2.0],
    "nan_among_text": ["a", NAN, "b"],  # which numpy would write as "nan"
    "na": [1, pd.NA, 2],
    "nat": np.array(["2024-01-01", "NaT", "2024-01-02"], dtype="datetime64[D]"),
    "arrow": pa.array(["a", None, "b"]),
    "masked_in_a_list": list(np.ma.masked_array([1, 7, 2], [0, 1, 0])),
}
LABELS = {
    **{
        k: (y, r"Input y contains NaN .*1 of 3 entries are missing, the first at index 1\.") for k, y in MISSING.items()
    },
    "tuples": ([("a", 1), ("b", 2)], r"y holds labels of type tuple, each several values.*list\(map\(str, y\)\)"),
    "lists": ([["a"], ["a", "b"]], "y holds labels of type list.*one detector for each label.*MultiLabelBinarizer"),
    "complex": (np.array([1j, 2]), "y is complex"),
    "mixed": (np.array([1, "a"], dtype=object), "y mixes labels of types int, str"),
    "unsortable": ([object(), object()], "y holds labels of type object, which don't sort"),
    "dictionary": ({"a": 0, "b": 1}, r"y is a dict, whose keys are no labels: pass list\(y.values\(\)\)"),
    "one_hot": (
        pd.DataFrame(np.eye(3, dtype=bool)),
        r"1d array, .*\(3, 3\)\. For one-hot labels pass the argmax",
    ),
    "probabilities": (torch.full((4, 3), 1 / 3), r"got one of shape \(4, 3\)\. For probabilities pass the argmax"),
    "several_a_sample": (pl.DataFrame(np.triu(np.ones((3, 3)))), "For several .* one detector for each label"),
    "sparse": (csr_array(np.eye(3)), r"y is a csr_array of shape \(3, 3\).*y.toarray\(\)"),
    "no_dimension_left": (np.zeros((3, 0)), r"y should be a 1d array, .*shape \(3, 0\)"),
    "masked": (np.ma.masked_array([1, 2, 3], [0, 1, 1]), "y is a masked array, masked in 2 of 3 rows, .* row 1"),
}
X = torch.arange(8.0).reshape(4, 2)
PAIRS = TensorDataset(X, torch.tensor([0, 1, 0, 1]))


def of(*inputs, y=None, unread=False):
    """Return how samples are made of a dataset with these inputs, and read where nobody reads all of it before."""

    def call():
        dataset = Items((x, i % 2) for i, x in enumerate(inputs))
        dataset.targets = [i % 2 for i in range(len(inputs))]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(room, "RESIDENT_BYTES", 0 if unread else 2**30)
            as_samples(dataset, y).batch(torch.arange(len(inputs)))

    return call


def spoiled(value, at, dtype=torch.float32):
    x = torch.zeros(40, 3, dtype=dtype)
    x[at, 1] = value
    return x


UNEQUAL = {
    "shape": ((torch.zeros(8, 8), torch.zeros(9, 8)), r"X\[1\] has shape \(9, 8\) and X\[0\] has \(8, 8\).*Resize"),
    "length": ((torch.ones(2), torch.ones(3)), r"\(3,\).*add a padding to"),
    "channels": ((torch.zeros(1, 8, 8), torch.zeros(3, 8, 8)), r"X\[1\] has shape \(3, 8, 8\).*Grayscale"),
    "kind": (
        (torch.zeros(3, dtype=torch.int64), torch.ones(3)),
        r"X\[1\] has dtype torch.float32 and X\[0\] has torch.int64",
    ),
    "too_large": (spoiled(1e39, 20, torch.float64), r"X\[20\] holds values too large for float32"),
    "nan": (spoiled(NAN, 37), r"X\[37\] contains NaN"),
}


class Stream(IterableDataset):
    def __iter__(self):
        yield 0


class Torn(Items):
    samples = [("first.png", 0), ("second.png", 0)]  # noqa: RUF012 - as torchvision has it

    def __getitem__(self, index):
        raise OSError("torn")


NUMBERED = Dataset.from_dict(
    {"x": X.tolist(), "label": [0, 1, 0, -1]},
    Features({"x": [Value("float32")], "label": ClassLabel(names=["a", "b"])}),
)
DATASETS = {
    **{f"unequal_{name}": (of(*inputs), message) for name, (inputs, message) in UNEQUAL.items()},
    **{f"unread_unequal_{name}": (of(*inputs, unread=True), message) for name, (inputs, message) in UNEQUAL.items()},
    "words": (of("cat"), r"X\[0\] yields a builtins.str.*Give the dataset a transform"),
    "ragged": (of([[1], [1, 2]]), r"X\[0\] yields a builtins.list \(.*needs a tensor"),
    "no_number": (of(torch.zeros(3, 0)), r"X has samples of shape \(3, 0\)"),
    "complex": (of(torch.zeros(3, dtype=torch.complex64)), r"X\[0\] is complex"),
    "empty": (of(), "X is an empty dataset"),
    "no_labels": (lambda: as_samples(Items(X)), "requires y to be passed.*yields no labels"),
    "fewer_labels": (of(*X, y=[0, 1, 0]), "y has 3 labels and X 4 samples"),
    "label_of_several_numbers": (
        lambda: as_samples(Items([(x, torch.eye(2)[0]) for x in X])),
        r"X\[0\] yields a label of shape \(2,\).*their argmax",
    ),
    "no_class": (lambda: as_samples(NUMBERED), r"X\[3\] yields label=-1, .*2 classes.*X\.filter"),
    "torn": (lambda: read_item(Items([]), 7), r"X\[7\] can't be read \(IndexError: .*\)"),
    "torn_within_wrappers": (
        lambda: read_item(Subset(TwoViews(Torn([0, 1]), Torn([0, 1])), [1]), 0),
        r"X\[0\], second.png, can't be read .*Leave it out: .*Subset",
    ),
    "views_of_other_length": (
        lambda: TwoViews(PAIRS, Subset(PAIRS, range(3))),
        "scored has 4 samples and trained 3",
    ),
    "views_of_other_shape": (
        lambda: as_samples(TwoViews(PAIRS, TensorDataset(X[:, :1]))),
        r"trained on in shape \(1,\) and scored in \(2,\)",
    ),
    "no_input": (
        lambda: columns(["age", "income", "label"]),
        r"columns 'age', 'income', 'label'.*which is the input.*to_pandas",
    ),
    "two_inputs": (lambda: columns(["image", "pixel_values", "y"], False), "which is the input.*rename_column"),
    "two_labels": (lambda: columns(["x", "label", "y"]), r"which is the label.*y=X\['label'\]"),
    "labels_of_other_names": (lambda: columns(["img", "fine", "coarse"]), r"which is the label.*y=X\['fine'\]"),
    "stream": (lambda: as_samples(Stream()), "X is an IterableDataset.*map-style Dataset", TypeError),
    "loader": (lambda: as_samples(DataLoader(PAIRS)), r"Pass its dataset \(`loader.dataset`\)", TypeError),
    "splits": (
        lambda: is_dataset(DatasetDict(train=NUMBERED)),
        r"X is a DatasetDict with keys 'train'.*X\['train'\], or all of them: datasets\.concatenate_datasets",
        TypeError,
    ),
    "dict": (
        lambda: is_dataset({"a": [1, 2], "b": [3, 4]}),
        r"X is a dict with keys 'a', 'b'.*pandas.DataFrame",
        TypeError,
    ),
    "path": (lambda: is_dataset("photos"), r"X is the str 'photos'.*load_image_folder", TypeError),
}
VALUES = {
    "nan": (np.float32, NAN, r"Input X contains NaN, the first of them in row 59 \(counted from 0\)"),
    "infinity": (np.float64, -np.inf, "Input X contains infinity, .* row 59"),
    "too_large": (np.float64, 1e39, "X holds values too large for float32, .* row 59"),
}


def of_values(dtype, value, order, in_file):
    def call(tmp_path, monkeypatch):
        monkeypatch.setattr(inputs, "HELD_BYTES", 100)  # so that the file is read in several parts
        array = np.zeros((60, 9), dtype, order=order)
        array[-1, -1] = value
        np.save(tmp_path / "X.npy", array)
        as_unlabelled(np.load(tmp_path / "X.npy", mmap_mode="r" if in_file else None))

    call.takes_a_place = True
    return call


ARRAYS = {
    f"{name}_{order}_{'file' if in_file else 'memory'}": (of_values(dtype, value, order, in_file), message)
    for name, (dtype, value, message) in VALUES.items()
    for order in "CF"
    for in_file in (False, True)
} | {
    "sparse_tensor": (lambda: plain(torch.eye(3).to_sparse()), r"layout torch.sparse_coo.*to_dense\(\)", TypeError),
    "pictures_of_two_sizes": (
        lambda: plain([Image.new("L", (6, 4)), Image.new("L", (4, 6))]),
        r"X\[1\] is a picture of 4 x 6 pixels and X\[0\] of 6 x 4",
    ),
    **{
        f"picture_of_{name}": (lambda v=values: as_pixels(Image.fromarray(v)), "of no known brightness")
        for name, values in {
            "32_bits": np.full((2, 2), 2**20, np.int32),
            "negatives": np.full((2, 2), -1, np.int32),
            "real_numbers": np.ones((2, 2), np.float32),
        }.items()
    },
}


class Unbatched(DataLoader):
    def __init__(self, dataset, **options):
        super().__init__(dataset, batch_size=None)


class Fixed(DataLoader):
    def __init__(self, dataset, batch_size, collate_fn):
        super().__init__(dataset, batch_size=batch_size, collate_fn=collate_fn)


def walking(loader, share=None, n=11, **options):
    def call():
        samples = as_samples(np.zeros((n, 2)), np.arange(n) % 2)
        list(IndexedLoader(samples, loader=loader, on_index=lambda index: None, share=share, **options))

    return call


ALONE = "or train in one process"
BATCHES = {
    **{
        f"sampler_of_{wrong}_by_{workers}": (
            walking(DataLoader, sampler=[3, wrong], num_workers=workers, batch_size=2),
            rf"yields sample {wrong} of 11\..*iterator_train__shuffle=True",
        )
        for wrong, workers in ((11, 0), (-1, 0), (11, 1))
    },
    "shared_without_batches": (walking(Unbatched, Share(0, 2)), f"makes no batches of indices.*{ALONE}"),
    "shared_and_fixed": (walking(Fixed, Share(0, 2), batch_size=4), f"can't be given its batches.*{ALONE}"),
    "shared_by_no_loader": (walking(lambda dataset, collate_fn: [], Share(0, 2)), f"makes no batches.*{ALONE}"),
    "augmented_table": (walking(BatchLoader, augment=True), r"augment=True crops .* samples of shape \(2,\)"),
}
EYE = np.eye(3)
NOISE = {
    "one_class": ([1, 1, 1], {"rate": 0.1}, "one class only"),
    "no_rate": ([0, 1, 2], {}, "rate is needed with kind='uniform'"),
    "negative_rate": ([0, 1, 2], {"rate": -0.1}, r"rate must lie in \[0, 1\], got -0.1"),
    "unknown_kind": ([0, 1, 2], {"rate": 0.1, "kind": "salt"}, "kind must be .* got 'salt'"),
    "matrix_alone": ([0, 1, 2], {"rate": 0.1, "confusion": EYE}, "goes with kind='confusion', got kind='uniform'"),
    "no_matrix": ([0, 1], {"rate": 0.1, "kind": "confusion"}, "needs confusion, .* or X, .* got neither"),
    "two_matrices": ([0, 1], {"kind": "confusion", "confusion": np.eye(2), "X": [0, 1]}, "pass one of them, got both"),
    "no_rate_of_X": ([0, 1], {"kind": "confusion", "X": [0, 1]}, "rate is needed with kind='confusion'"),
    "X_alone": ([0, 1], {"rate": 0.1, "X": [0, 1]}, "X goes with kind='confusion' or kind='instance', got"),
    "no_X": (
        [0, 1],
        {"rate": 0.1, "kind": "instance"},
        "samples that a weak classifier confuses: pass X=X, got X=None",
    ),
    "other_X": (
        [0, 1],
        {"rate": 0.1, "kind": "instance", "X": [[0]]},
        "X must hold one sample .* 2 labels in y, got 1",
    ),
    "X_with_gaps": ([0, 1], {"rate": 0.1, "kind": "instance", "X": [[0], [np.nan]]}, "Input X contains NaN"),
    **{
        f"{name}_as_X": (
            [0, 1],
            {"rate": 0.1, "kind": "instance", "X": X},
            "X must be an array of numbers.*got .*Encode",
        )
        for name, X in {"words": [["a"], ["b"]], "column": [0, 1], "ragged": [[0], [0, 1]], "dataset": PAIRS}.items()
    },
    "one_of_a_class": ([0, 0, 1], {"rate": 0.1, "kind": "instance", "X": EYE}, "one sample only of a class.*'uniform'"),
    "no_groups": ([0, 1], {"rate": 0.1, "kind": "group"}, "pass groups, one value a sample"),
    "groups_alone": ([0, 1], {"rate": 0.1, "groups": [0, 1]}, "groups goes with kind='annotator' or kind='group', got"),
    "other_groups": ([0, 1], {"rate": 0.1, "kind": "group", "groups": [0]}, r"each of 2 samples, got shape \(1,\)"),
    "lost_groups": (
        [0, 1],
        {"rate": 0.1, "kind": "group", "groups": [0, None]},
        "no value for 1 of 2 samples, .* index 1",
    ),
    "word": ([0, 1], {"kind": "confusion", "confusion": "x"}, "confusion must be a matrix of shares"),
    "shape": ([0, 1], {"kind": "confusion", "confusion": EYE}, r"shape \(2, 2\).* got \(3, 3\)"),
    "negative": ([0, 1], {"kind": "confusion", "confusion": [[1.5, -0.5], [0, 1]]}, "no negative entry"),
    "row_sum": ([0, 1], {"kind": "confusion", "confusion": [[0.5, 0.4], [0, 1]]}, "every row must sum to 1"),
    "no_wrong": ([0, 1, 2], {"rate": 0.1, "kind": "confusion", "confusion": EYE}, "nothing off the diagonal"),
}


def folder(*files, size=32, limit=None):
    """Return how a folder with these files is read; "cat/a.png" holds text."""

    def call(tmp_path, monkeypatch):
        for name in files:
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text("a")
        load_image_folder(tmp_path, size=size, limit=limit)

    call.takes_a_place = True
    return call


FOLDERS = {
    "empty": (folder(), "has no subfolder. It needs one subfolder of pictures a class"),
    "no_picture": (
        folder("cat/a.txt", "cat/b.txt"),
        r"has 1 subfolder\(s\) and no picture in them.*\.png.*Passed over: cat/a.txt, cat/b.txt \(no",
    ),
    "nothing_whole": (folder("cat/a.png"), "1 of 1 pictures in root=.* can't be read, the first because of Unid"),
    "a_file": (lambda: load_image_folder(__file__), "is not a folder"),
    "nowhere": (lambda: load_image_folder("no/such/folder"), "root='no/such/folder' is not a folder"),
}
COUNTS = {
    f"{name}_{value!r}": (folder(**{name: value}), f"^{name} must be a whole number, at least 1, got ")
    for name, value in [("size", v) for v in (0, 2.0, True, "8", (8, 8))] + [("limit", -1), ("limit", 2.0)]
}
CALLS = {
    **{f"labels_{k}": (lambda y=y: encode(plain_labels(y)), m) for k, (y, m) in LABELS.items()},
    **{f"dataset_{k}": case for k, case in DATASETS.items()},
    **{f"array_{k}": case for k, case in ARRAYS.items()},
    **{f"batches_{k}": case for k, case in BATCHES.items()},
    **{f"noise_{k}": (lambda a=a, o=o: corrupt_labels(a, **o), m) for k, (a, o, m) in NOISE.items()},
    "pairs_of_one_class": (lambda: conflicting_duplicates([1, 1], 0.5), "one class only"),
    **{f"folder_{k}": (call, m, FileNotFoundError) for k, (call, m) in FOLDERS.items()},
    "folder_of_no_path": (lambda: load_image_folder(3), "root must be the path of a folder, got 3", TypeError),
    **{f"folder_{k}": case for k, case in COUNTS.items()},
}


@pytest.mark.parametrize("name", CALLS)
def test_what_cannot_be_read_is_refused_with_a_way_out(name, tmp_path, monkeypatch):
    call, message, *kind = CALLS[name]
    with pytest.raises(kind[0] if kind else ValueError, match=message) as caught:
        call(tmp_path, monkeypatch) if hasattr(call, "takes_a_place") else call()
    assert len(str(caught.value)) <= 450 or name.endswith("by_1")  # a worker's traceback


def test_a_picture_that_cannot_be_read_is_named_by_number_and_file(tmp_path):
    write_pictures(tmp_path)
    broken = tmp_path / "dog" / "3.png"
    broken.write_bytes(broken.read_bytes()[:60])
    images = ImageFolder(tmp_path)
    for dataset, number in ((images, 11), (Subset(Subset(images, range(2, 16)), range(1, 14)), 8)):
        with pytest.raises(ValueError, match=rf"X\[{number}\], .*3\.png, can't be read .*Leave it out: .*Subset"):
            read_item(dataset, number)
