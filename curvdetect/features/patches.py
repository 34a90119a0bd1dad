"""Features of pictures that need neither training nor weights from elsewhere: random patches of the pictures."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.nn import functional as F

from curvdetect.data.samples import Samples, as_unlabelled
from curvdetect.features.pictures import check_are_pictures

#: Patches from which the whitening is learned.
N_PATCHES = 20_000
#: Added to the variance of each patch, as a share of their mean variance, and to the variances that are whitened.
CONTRAST, WHITENING = 2.5e-3, 0.1
#: Height and width that larger pictures are averaged down to, and positions of the filters along each side, about.
SIDE, POSITIONS = 32, 14
#: Patches with a smaller share of the mean variance show nothing.
BLANK = 0.1
#: Pictures, and bytes of them, that are worked on at once.
AT_ONCE, READ_BYTES = 64, 2**26


class PatchFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Turn pictures into features by random patches of the pictures themselves; nothing is trained.

    Patches are drawn at random from the pictures that are fitted, brought to the same contrast and whitened. They are
    the filters of a convolution, whose positive and negative parts above a threshold are averaged over a grid of
    regions. Roots are taken of the averages, so that a frequent pattern does not outweigh all others.

    Parameters
    ----------
    n_filters : int, default=300
        Number of patches.
    size : int, default=6
        Height and width of a patch, in pixels; smaller for smaller pictures.
    pool : int, default=3
        Regions along each side.
    threshold : float, default=0.25
        What a filter's response must exceed.
    mirrored : bool, default=False
        Whether a picture and its mirror image have the same features, as suits photographs, but no digits. Doubles the
        cost.
    random_state : int, RandomState instance or None, default=None
        Which patches.
    device : str, default="cpu"
        ``"cpu"``, ``"cuda"``, ``"cuda:1"`` or ``"mps"``.

    Attributes
    ----------
    filters_ : array of shape (n_filters, channels, size, size)
        Weights of the convolution; the whitening is within them.
    offsets_ : array of shape (n_filters,)
        What is taken from the response of each.
    contrast_ : float
        What is added to the variance of each patch.
    n_features_in_ : int
        Channels of the pictures.

    Notes
    -----
    Pictures of more than 32 pixels are averaged down to 32 by 32. Of 32 by 32 pixels in colour, a thousand take about
    half a second on a core, and their 5,400 features 22 megabytes.

    References
    ----------
    .. [1] Coates, Ng, Lee, "An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011.

    Examples
    --------
    >>> import numpy as np
    >>> from curvdetect import PatchFeatures
    >>> X = np.random.default_rng(0).random((20, 3, 16, 16))
    >>> PatchFeatures(n_filters=10, random_state=0).fit_transform(X).shape
    (20, 180)
    """

    filters_: NDArray[np.float32]
    offsets_: NDArray[np.float32]
    contrast_: float
    n_features_in_: int
    _n_features_out: int

    def __init__(
        self,
        *,
        n_filters: int = 300,
        size: int = 6,
        pool: int = 3,
        threshold: float = 0.25,
        mirrored: bool = False,
        random_state: int | np.random.RandomState | None = None,
        device: str = "cpu",
    ) -> None:
        self.n_filters = n_filters
        self.size = size
        self.pool = pool
        self.threshold = threshold
        self.mirrored = mirrored
        self.random_state = random_state
        self.device = device

    def fit(self, X: object, y: object = None) -> Self:
        """Draw the patches.

        Parameters
        ----------
        X : array, tensor or map-style Dataset of pictures, shape (n_samples, channels, height, width)
            uint8 pictures are scaled to [0, 1].
        y : ignored

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Where ``X`` holds no pictures, or the same color everywhere, or a parameter is out of range.
        """
        for name in ("n_filters", "size", "pool"):
            value = getattr(self, name)
            if not isinstance(value, Integral) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{name} must be a whole number, at least 1, got {value!r}.")
        if not isinstance(self.threshold, Real) or not 0 <= self.threshold < np.inf:
            raise ValueError(f"threshold must be a number, not negative, got {self.threshold!r}.")
        samples = _pictures(X)
        rng = check_random_state(self.random_state)
        patches = self._patches(samples, rng)
        patches -= patches.mean(1, keepdim=True)
        variance = patches.var(1, correction=0)
        if not variance.mean() > 0:
            raise ValueError("X holds pictures of one color each, which have no patches to tell them by.")
        self.contrast_ = float(CONTRAST * variance.mean())
        patches *= (variance + self.contrast_).rsqrt()[:, None]
        mean = patches.mean(0)
        values, vectors = torch.linalg.eigh((patches - mean).T @ (patches - mean) / len(patches))
        whitening = (vectors * (values.clamp(min=0) + WHITENING).rsqrt()) @ vectors.T
        shown = np.flatnonzero((variance > BLANK * variance.mean()).numpy())
        chosen = rng.choice(shown, self.n_filters, replace=len(shown) < self.n_filters)
        white = (patches[torch.from_numpy(chosen)] - mean) @ whitening
        filters = white / white.norm(dim=1, keepdim=True) @ whitening
        self.offsets_ = (filters @ mean).float().numpy()
        # a filter that sums to zero does not see the mean of a patch
        filters -= filters.mean(1, keepdim=True)
        side = self._side(samples)
        self.filters_ = filters.reshape(self.n_filters, samples.shape[0], side, side).float().numpy()
        self.n_features_in_ = samples.shape[0]
        self._n_features_out = 2 * self.n_filters * self.pool**2
        return self

    def transform(self, X: object) -> NDArray[np.float32]:
        """Return the features of pictures.

        Parameters
        ----------
        X : array, tensor or map-style Dataset of pictures, shape (n_samples, channels, height, width)
            With the channels that were fitted.

        Returns
        -------
        array of shape (n_samples, 2 * n_filters * pool**2), float32

        Raises
        ------
        ValueError
            Where ``X`` holds no pictures, or such of other channels or smaller than a patch.
        """
        check_is_fitted(self, "filters_")
        samples = _pictures(X)
        if samples.shape[0] != self.n_features_in_:
            raise ValueError(f"X holds pictures of {samples.shape[0]} channels, and {self.n_features_in_} were fitted.")
        if min(samples.shape[1:]) < self.filters_.shape[-1]:
            raise ValueError(
                f"X holds pictures of {samples.shape[1]} by {samples.shape[2]} pixels, and patches were fitted of "
                f"{self.filters_.shape[-1]} on a side. Enlarge the pictures, or fit with a smaller size."
            )
        features = np.empty((len(samples), self._n_features_out), dtype=np.float32)
        filters = torch.from_numpy(self.filters_).to(self.device)
        offsets = torch.from_numpy(self.offsets_).to(self.device)[:, None, None]
        done = 0
        with torch.no_grad():
            for pictures in samples.in_chunks(READ_BYTES):
                for x in torch.split(pictures, AT_ONCE):
                    x = _averaged_down(x.to(self.device))
                    pooled = self._pooled(x, filters, offsets)
                    if self.mirrored:
                        pooled += self._pooled(x.flip(-1), filters, offsets)
                    features[done : done + len(x)] = pooled.sqrt_().cpu().numpy()
                    done += len(x)
        return features

    def _pooled(self, x: Tensor, filters: Tensor, offsets: Tensor) -> Tensor:
        """Return what the filters see in each region, shape (n_pictures, n_features)."""
        stride = max(1, round((min(x.shape[-2:]) - filters.shape[-1]) / (POSITIONS - 1)))
        one = torch.full_like(filters[:1], 1 / filters[0].numel())
        mean = F.conv2d(x, one, stride=stride)
        variance = (F.conv2d(x.square(), one, stride=stride) - mean.square()).clamp(min=0)
        seen = F.conv2d(x, filters, stride=stride) * (variance + self.contrast_).rsqrt() - offsets
        parts = [F.adaptive_avg_pool2d((sign * seen - self.threshold).relu_(), self.pool) for sign in (1, -1)]
        return torch.cat(parts, 1).flatten(1)

    def _patches(self, samples: Samples, rng: np.random.RandomState) -> Tensor:
        """Return random patches of random pictures, shape (n_patches, channels * size * size), float64."""
        side, n = self._side(samples), min(len(samples), N_PATCHES)
        pictures = torch.from_numpy(np.sort(rng.choice(len(samples), n, replace=False)))
        each, patches = -(-N_PATCHES // n), []
        for some in torch.split(pictures, max(1, READ_BYTES // (4 * torch.Size(samples.shape).numel()))):
            for x in _averaged_down(samples.batch(some)):
                height, width = (length - side + 1 for length in x.shape[1:])
                for y0, x0 in zip(rng.randint(height, size=each), rng.randint(width, size=each), strict=True):
                    patches.append(x[:, y0 : y0 + side, x0 : x0 + side].flatten())
        return torch.stack(patches).double()

    def _side(self, samples: Samples) -> int:
        return min(self.size, *samples.shape[1:])

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, False
        tags.non_deterministic = self.random_state is None
        return tags


def _pictures(X: object) -> Samples:
    """Return pictures as samples, or raise where they are none."""
    samples = (
        X
        if isinstance(X, Samples)
        else as_unlabelled(X if hasattr(X, "__getitem__") and not isinstance(X, list) else np.asarray(X))
    )
    check_are_pictures(samples.shape)
    return samples


def _averaged_down(x: Tensor) -> Tensor:
    """Return pictures of at most 32 by 32 pixels."""
    height, width = x.shape[-2:]
    return F.interpolate(x, (min(height, SIDE), min(width, SIDE)), mode="area") if max(height, width) > SIDE else x
