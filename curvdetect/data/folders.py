"""A folder of pictures, one subfolder a class, as arrays that any detector takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class ImageFolderData(NamedTuple):
    """Pictures, their class names and where they came from."""

    X: NDArray[np.uint8]
    y: NDArray[Any]
    paths: list[str]


def load_image_folder(root: str | Path, *, size: int = 32, limit: int | None = None) -> ImageFolderData:
    """Read pictures laid out as ``root/<class>/<picture>`` into memory.

    Parameters
    ----------
    root : str or Path
        Folder with one subfolder for each class, as ``torchvision.datasets.ImageFolder`` wants it.
    size : int, default=32
        Side of the square that pictures are resized (shorter side) and cropped (centre) to.
    limit : int, optional
        Read a random choice of so many pictures, the same in every call.

    Returns
    -------
    ImageFolderData
        Named tuple of ``X``, uint8 of shape (n_samples, 3, size, size), the class names ``y`` as strings, and
        ``paths``.

    Raises
    ------
    FileNotFoundError
        Where there is no such folder, or no picture in it.

    Notes
    -----
    Takes ``3 * size**2`` bytes a picture. For more than fits in memory pass an ``ImageFolder`` to ``fit``.

    Examples
    --------
    >>> from curvdetect import load_image_folder
    >>> load_image_folder("no/such/folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: root='no/such/folder' is not a folder...
    """
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import CenterCrop, Compose, PILToTensor, Resize

    if not Path(root).is_dir():
        raise FileNotFoundError(f"root={str(root)!r} is not a folder. It needs one subfolder of pictures a class.")
    folder = ImageFolder(str(root), transform=Compose([Resize(size), CenterCrop(size), PILToTensor()]))
    chosen = np.arange(len(folder))
    if limit is not None and limit < len(folder):
        chosen = np.sort(np.random.default_rng(0).permutation(len(folder))[:limit])
    X = np.empty((len(chosen), 3, size, size), dtype=np.uint8)
    for row, i in enumerate(chosen):
        X[row] = folder[i][0].numpy()
    y = np.asarray(folder.classes)[np.asarray(folder.targets)[chosen]]
    return ImageFolderData(X, y, [folder.samples[i][0] for i in chosen])
