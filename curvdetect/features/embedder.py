"""Pictures as what a pretrained network sees in them: a transformer before a detector."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from torch import Tensor, nn

from curvdetect.data.datasets import DatasetInputs
from curvdetect.data.devices import resolve_device
from curvdetect.data.inputs import as_float
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.items import reads_the_same
from curvdetect.data.progress import progress_bar
from curvdetect.data.rows import digest_of
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.data.wording import brief
from curvdetect.features.backbones import Backbone, backbone_of, check_range
from curvdetect.features.cache import computed, read_or_computed
from curvdetect.features.pictures import pictures

_PRECISIONS = ("auto", "float32", "bfloat16")


class ImageEmbedder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn pictures into the features of a pretrained network.

    A detector behind it ranks with a small net on features rather than with a large one on pixels: few pictures
    suffice, and a training takes seconds. Nothing is learned from the pictures, and labels are not looked at.

    Parameters
    ----------
    model : str or nn.Module
        ``"timm:NAME"`` (``pip install timm``) or ``"torchvision:NAME"``: the network of this name
        without its last layer, with its pretrained weights, which are downloaded once. ``"timm:NAME@FILE"`` takes the
        weights from a file of `torch.save` or safetensors instead. A module has no last layer, or a method
        ``extract_features``, which is called instead. Features (n, channels, h, w) are averaged over h and w, and
        features (n, tokens, channels) over tokens. A module is copied and stays as it is.
    batch_size : int, default=64
        Pictures that go through the network together. Fewer take less memory.
    size : int or (int, int), optional
        Height and width to which pictures are resized as a whole. By default that of the named network; a module gets
        pictures as they are.
    mean, std : float or sequence of one float a channel, optional
        By which pictures in [0, 1] are normalized, as ``(X - mean) / std``. By default those of the named network; for
        a module those of ImageNet. With a ``mean``, pictures may have values outside [0, 1].
    precision : {"auto", "float32", "bfloat16"}, default="auto"
        What the network computes in. "auto" is bfloat16 on CUDA devices that are fast in it, and float32 elsewhere.
    device : str or torch.device, default="auto"
        "auto" is CUDA, else MPS, else the CPU.
    cache_dir : str or Path, optional
        Folder in which features are kept, batch by batch. The same pictures under the same model are only read from
        it, and a run that was stopped goes on. Other pictures, weights or settings never meet. Files may be deleted.
    verbose : int, default=0
        1 shows the progress and the time left.

    Attributes
    ----------
    n_features_in_ : int
        Number of channels.

    Raises
    ------
    ValueError
        For a name that is not known, pictures of other channels than the network's, rows of numbers, values outside
        [0, 1], weights of another network, or features that are not finite.
    ImportError
        Where timm is needed and not installed.
    OSError
        For weights that can't be downloaded or found, or a ``cache_dir`` that can't be written.

    See Also
    --------
    load_image_folder : Pictures in folders as an array.

    Notes
    -----
    ``X`` is an array, tensor, memory-mapped array, list of PIL pictures or map-style dataset of uint8 pictures, or of
    floats in [0, 1], of shape (channels, height, width). Only one batch of it is on the device, and a dataset is read
    batch by batch. One channel is repeated for a network of three. Features are float32, shape (n, n_features), and
    lie in a memory-mapped file where ``cache_dir`` holds more than 2 GiB of them.

    With ``cache_dir``, the pictures and weights are read once more for a digest of their content. Code of a module that
    changes neither its weights nor its ``repr`` is not noticed.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from curvdetect import ImageEmbedder
    >>> X = np.random.default_rng(0).integers(0, 256, (10, 3, 16, 16), dtype=np.uint8)
    >>> module = nn.Conv2d(3, 8, kernel_size=4)  # stands for a pretrained network
    >>> ImageEmbedder(module, device="cpu").fit_transform(X).shape
    (10, 8)
    """

    def __init__(
        self,
        model: str | nn.Module,
        *,
        batch_size: int = 64,
        size: int | tuple[int, int] | None = None,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        precision: str = "auto",
        device: str | torch.device = "auto",
        cache_dir: str | os.PathLike[str] | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.batch_size = batch_size
        self.size = size
        self.mean = mean
        self.std = std
        self.precision = precision
        self.device = device
        self.cache_dir = cache_dir
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.transformer_tags.preserves_dtype = []
        return tags

    def __getstate__(self) -> Record:
        """Leave downloaded weights behind: they are loaded again where they are needed."""
        state: Record = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_loaded"}

    def fit(self, X: object, y: object = None) -> ImageEmbedder:
        """Check that the network takes the pictures; nothing is learned from them.

        Parameters
        ----------
        X : array, tensor, list of PIL pictures or map-style dataset
            Pictures, (n, channels, height, width).
        y : object, optional
            Not looked at.

        Returns
        -------
        ImageEmbedder
            Itself.
        """
        with isolated_rng(resolve_device(self.device)):  # networks draw their first weights, datasets may draw
            samples, backbone = self._checked(X)
            (first,) = self._batches(samples.only(torch.tensor([0])), backbone, 0, shown=False)
        self.n_features_in_, self._n_features_out = samples.shape[0], first.shape[1]
        return self

    def transform(self, X: object) -> NDArray[np.float32]:
        """Return features; nothing has to be fitted before.

        Parameters
        ----------
        X : array, tensor, list of PIL pictures or map-style dataset
            Pictures, (n, channels, height, width).

        Returns
        -------
        array of shape (n, n_features), float32
            One row for each picture.
        """
        with isolated_rng(resolve_device(self.device)):
            samples, backbone = self._checked(X)
            if samples.shape[0] != getattr(self, "n_features_in_", samples.shape[0]):
                raise ValueError(
                    f"X has pictures of {samples.shape[0]} channel(s), and fit saw {self.n_features_in_}. Pass "
                    "pictures of the same kind, or fit again."
                )
            batches = partial(self._batches, samples, backbone)
            if self.cache_dir is None:
                return computed(len(samples), batches)
            return read_or_computed(Path(self.cache_dir), self._identity(samples, backbone), len(samples), batches)

    def _checked(self, X: object) -> tuple[Samples, Backbone]:
        """Return pictures and the network that they go through, or raise what is wrong with them or a parameter."""
        if isinstance(self.batch_size, bool) or not isinstance(self.batch_size, Integral) or self.batch_size < 1:
            raise ValueError(f"batch_size must be a whole number, at least 1, got {brief(self.batch_size)}.")
        if self.precision not in _PRECISIONS:
            raise ValueError(f"precision must be 'auto', 'float32' or 'bfloat16', got {brief(self.precision)}.")
        samples, backbone = pictures(X), self._backbone()
        backbone.check_channels(samples.shape)
        return samples, backbone

    def _backbone(self) -> Backbone:
        """Return the network in evaluation mode, with the size and the normalization that are asked for."""
        if not isinstance(self.model, str):
            backbone = backbone_of(self.model)
        else:
            if getattr(self, "_loaded", ("",))[0] != self.model:
                self._loaded = self.model, backbone_of(self.model)
            backbone = self._loaded[1]
        backbone.module.eval()
        return backbone.asked(self.size, self.mean, self.std)

    def _places(self) -> tuple[torch.device, str]:
        """Return the device that is computed on, and the precision."""
        device = resolve_device(self.device)
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return device, ("bfloat16" if fast else "float32") if self.precision == "auto" else self.precision

    def _identity(self, samples: Samples, backbone: Backbone) -> Record:
        """Return what features depend on, or raise where pictures are others at each reading."""
        inputs = samples.inputs
        if isinstance(inputs, DatasetInputs) and not reads_the_same(inputs.dataset):
            raise ValueError(
                "X yields another picture each time it is read (a random transform), which cache_dir can't know again. "
                "Drop the transform, or pass cache_dir=None."
            )
        model = self.model.partition("@")[0] if isinstance(self.model, str) else type(self.model).__qualname__
        wanted = {name: value for name, value in backbone._asdict().items() if name != "module"}
        precision = self._places()[1]
        return {"X": digest_of(samples)["X"], "model": model, "weights": backbone.digest(), "in": precision, **wanted}

    def _batches(
        self, samples: Samples, backbone: Backbone, start: int, shown: bool = True
    ) -> Iterator[NDArray[np.float32]]:
        """Yield features of the pictures from ``start`` on, a batch at a time."""
        device, precision = self._places()
        backbone.module.to(device)
        bar = progress_bar(len(samples), shown=shown and bool(self.verbose), desc="embedding", unit="pictures")
        bar.n = bar.initial = bar.last_print_n = start
        try:
            for index in torch.split(torch.arange(start, len(samples)), int(self.batch_size)):
                x = samples.inputs.read(index)
                x = (x if x.dtype == torch.uint8 else x.float()).to(device)
                with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, precision == "bfloat16"):
                    rows = self._features(backbone, x).float().cpu().numpy()
                wrong = np.flatnonzero(~np.isfinite(rows).all(1))
                if len(wrong):
                    raise ValueError(
                        f"model gives features that are not finite for X[{index[wrong[0]]}], in {precision}. Look at "
                        "this picture, at mean and std, and at the weights; or pass precision='float32'."
                    )
                bar.update(len(index))
                yield rows
        finally:
            bar.close()

    def _features(self, backbone: Backbone, x: Tensor) -> Tensor:
        """Return features of a batch as it was read, or raise why there are none."""
        n, scaled = len(x), self.mean is None
        x = as_float(x)
        if scaled:
            check_range(x)
        sized = backbone.resized(x)
        x = sized.clamp(0, 1) if scaled and sized is not x else sized  # bicubic curves overshoot
        if x.device.type != "cpu" and n < self.batch_size:
            # smaller batches would go other ways, and rounding would tell a picture from itself
            x = torch.cat([x, x[-1:].expand(int(self.batch_size) - n, -1, -1, -1)])
        mean, std = (x.new_tensor(values).view(-1, 1, 1) for values in (backbone.mean, backbone.std))
        try:
            return backbone.tried((x - mean) / std)[:n]
        except torch.OutOfMemoryError as error:
            error.add_note(f"batch_size={self.batch_size} is too large for this device: pass a smaller one.")
            raise
