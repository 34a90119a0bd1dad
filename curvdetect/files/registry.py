"""The formats, and `read_data`, which takes any of them."""

from __future__ import annotations

import os
from pathlib import Path

from curvdetect.data.folders import check_counts
from curvdetect.data.wording import ArgumentError, listed, short, spelled
from curvdetect.files.arrays import ArrayFile, ArraysFile
from curvdetect.files.braces import is_braced
from curvdetect.files.coco import CocoFile, lacking
from curvdetect.files.image_folder import ImageFolder
from curvdetect.files.label_files import LinesFile
from curvdetect.files.labelled import Asked, LabelledData, LabelledFile
from curvdetect.files.listed_folder import ListedFolder
from curvdetect.files.parquet_pictures import ParquetPictures
from curvdetect.files.picture_table import PictureTable
from curvdetect.files.probabilities import with_probabilities
from curvdetect.files.saved_dataset import SavedDataset
from curvdetect.files.split_folder import SplitFolder
from curvdetect.files.webdataset import WebDataset
from curvdetect.files.yolo import YoloFolder

#: All formats; the first that fits is taken.
FORMATS: tuple[type[LabelledFile], ...] = (
    SavedDataset,
    ParquetPictures,
    WebDataset,
    YoloFolder,
    ListedFolder,
    SplitFolder,
    ImageFolder,
    LinesFile,
    PictureTable,
    ArraysFile,
    ArrayFile,
    CocoFile,
)


def read_data(
    path: str | os.PathLike[str],
    *,
    label: str | None = None,
    drop: tuple[str, ...] = (),
    pictures: str | None = None,
    root: str | os.PathLike[str] | None = None,
    labels: str | os.PathLike[str] | None = None,
    samples: str | None = None,
    split: str | None = None,
    probs: str | os.PathLike[str] | None = None,
    size: int | None = None,
    limit: int | None = None,
    features: str | None = None,
) -> LabelledData:
    """Read samples and labels from a file or folder of any known format, as ``curvdetect scan`` does.

    Parameters
    ----------
    path : str or Path
        A folder of pictures with one subfolder a class, or with a list of labels (labels.csv, metadata.csv,
        metadata.jsonl, train.csv); a table (.csv, .tsv, .jsonl, each also .gz, or .parquet), of numbers or with a
        column that names pictures; an .npz file of arrays, such as X and y; an .npy file of samples; a Parquet file
        with pictures in it, or a folder of them as the Hugging Face hub has them; a folder that ``save_to_disk`` wrote;
        .tar files as webdataset writes them: one, a folder, or ``x-{000..012}.tar``; or a COCO file (.json), or a YOLO
        folder, of boxes. With ``probs``, also a file of labels alone, which may be a .txt.
    label : str, optional
        Column of a table, or array in an .npz file, that holds the labels; by default the one named label, labels,
        target, y or class, or the only ``ClassLabel`` of a Parquet file.
    drop : tuple of str, default=()
        Columns of a table not to train on.
    pictures : str, optional
        Column of a table that names or holds pictures; by default it is known by its content.
    root : str or Path, optional
        Folder that a table, or a COCO file, names pictures in; by default that of the file. Folders in it are looked
        into as well.
    labels : str or Path, optional
        File of the labels where an .npy or .npz file holds the samples: a table, an .npy file, or a .txt file with one
        label a line.
    samples : str, optional
        Array in an .npz file that holds the samples; by default it is known by its name or its shape.
    split : str, optional
        Which part to read of a folder with parts such as ``train`` and ``test``, or ``"all"`` of them together, as a
        YOLO folder is read by default; or of an .npz file with ``train_images``, ``test_images`` and the like.
    probs : str or Path, optional
        File of probabilities of all classes by a model of your own, out of fold, for all samples of the file: an .npy
        or .npz file with columns in the order of the sorted classes, or a table with columns named by them.
    size : int, optional
        Side of the square, in pixels, to which pictures are resized (shorter side) and cropped (centre); by default 32.
    limit : int, optional
        Number of samples to read, chosen at random and the same in every call; by default all.
    features : str, optional
        What embeds the texts of a table: ``"model2vec:NAME"`` or ``"sentence-transformers:NAME"``, where NAME is a
        folder or a name on the Hugging Face Hub. By default skrub's StringEncoder, which needs no model.

    Returns
    -------
    LabelledData
        ``X`` and ``y`` for a detector's ``fit``; ``shown`` for `write_report`, where a person looks at something else;
        ``paths``, names of pictures; ``file``, the list in a folder that the labels are from; ``rows``, places in the
        file where the samples are not all of them; ``columns``, what else the file says of each sample, such as the
        ``annotation_id`` of a box; ``skipped``, what was not read, and why; and ``pred_probs``, the probabilities, for
        a detector's ``fit`` too. They are ``X`` as well where there are labels alone.

    Raises
    ------
    ValueError
        Where no format fits, an argument does not belong to the format, or the content can't be read.

    Warns
    -----
    UserWarning
        For what is read but doubtful, such as a column that numbers the rows, or dark pictures.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from curvdetect import read_data
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.savez(f"{folder}/few.npz", X=np.eye(4), y=[0, 0, 1, 1])
    ...     read_data(f"{folder}/few.npz").y.tolist()
    [0, 0, 1, 1]
    """
    check_counts(**{name: value for name, value in {"size": size, "limit": limit}.items() if value is not None})
    root = None if root is None else os.fspath(root)
    labels = None if labels is None else os.fspath(labels)
    asked = Asked(
        label=label,
        drop=tuple(drop),
        pictures=pictures,
        root=root,
        labels=labels,
        samples=samples,
        split=split,
        size=size,
        limit=limit,
        features=features,
    )
    file = opened(Path(path), asked)
    return file.read(file.chosen()) if probs is None else with_probabilities(file, Path(probs))


def opened(path: Path, asked: Asked) -> LabelledFile:
    """Return a file as what it is, or raise where no format fits, or one that takes other arguments."""
    if not (path.exists() or is_braced(path)):
        raise ArgumentError("path", f"'{short(path)}' is not there.")
    found = next((one for one in FORMATS if one.fits(path)), None)
    if found is None:
        # any folder would be one of classes
        kinds = "; ".join(one.kind for one in FORMATS if one is ImageFolder or not one.kind.startswith("a folder"))
        lacks = lacking(path)
        hint = f" Of a COCO file it lacks {listed(lacks)}: copy that from the complete file." if len(lacks) < 3 else ""
        raise ArgumentError("path", f"'{short(path)}' is none of these: {kinds}.{hint}")
    file = found.opened(path, asked)
    foreign = [name for name in asked.given() if name not in file.takes]
    if foreign:
        raise ArgumentError(
            foreign[0],
            f"{' and '.join(map(spelled, foreign))} does not belong to {file.kind}, which '{short(path)}' is. Leave "
            "it out.",
        )
    return file
