"""The recipe that fine-tunes a pretrained network: a new last layer first, then all of it in small steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral, Real
from typing import Any, Self

import torch
from skorch import NeuralNet
from skorch.callbacks import Callback
from torch import Tensor, nn

from curvdetect.data.isolation import isolated_rng, spread
from curvdetect.data.samples import Samples
from curvdetect.data.types import Record
from curvdetect.features.backbones import Backbone, backbone_of, check_range
from curvdetect.features.pictures import check_are_pictures
from curvdetect.training.recipe import MemorizingNet, memorizing_net
from curvdetect.training.schedules import one_cycle

#: Epochs of the recipe, and those of the last layer alone among them.
EPOCHS, HEAD_EPOCHS = 7, 1
#: Weight decay of the recipe, that of AdamW in torch.
DECAY = 0.01
#: Pictures whose range of values is looked at.
_LOOKED_AT = 16


def finetuning_net(
    model: str | nn.Module,
    *,
    lr: float = 1e-4,
    head_lr: float = 5e-4,
    head_epochs: int = HEAD_EPOCHS,
    max_epochs: int = EPOCHS,
    batch_size: int | None = None,
    schedule: Callable[[int], Callable[[int], float]] | None = None,
    size: int | tuple[int, int] | None = None,
    mean: float | Sequence[float] | None = None,
    std: float | Sequence[float] | None = None,
    augment: bool = False,
    **options: object,
) -> MemorizingNet:
    """Return a skorch net with the recipe that fine-tunes a pretrained network for pictures.

    The network gets a new last layer, which knows nothing. This layer is trained first, on features that stay as they
    are; then all of the network is, in small steps. Its BatchNorm keeps the statistics that it came with, and its
    dropout is off.

    Parameters
    ----------
    model : str or nn.Module
        As in `ImageEmbedder`: ``"timm:NAME"`` or ``"torchvision:NAME"``, the same with ``@FILE`` for weights in a
        file, or a module of your own without its last layer. Parameters without ``requires_grad`` stay as they are.
    lr, head_lr : float
        Highest learning rates of the pretrained part and of the last layer.
    head_epochs : int, default=1
        Epochs of the last layer alone.
    max_epochs : int, default=7
        Epochs of the whole training. A detector's own ``max_epochs`` goes before it.
    batch_size : int, optional
        By default a 32nd of the samples that a detector fits, from 16 to 128.
    schedule : callable, optional
        From the number of epochs to a function from an epoch, counted from 0, to a factor of both learning rates. By
        default it is 1 for the last layer alone, and then rises and falls like `one_cycle`.
    size, mean, std : optional
        Of the pictures that the network sees, as in `ImageEmbedder`.
    augment : bool, default=False
        Crop and flip pictures at random. Scoring never sees it.
    **options
        Any other parameter of `memorizing_net` or ``skorch.NeuralNetClassifier``. The optimizer is AdamW.

    Returns
    -------
    MemorizingNet
        A skorch ``NeuralNetClassifier``, not initialized; a detector that trains it loads the network and sizes the
        last layer. ``module__size``, ``module__model`` and the like are its parameters. Outside of a detector it needs
        ``module__n_classes``, and the ``module__shape`` of a picture.

    Raises
    ------
    TypeError, ValueError
        For parameters out of range. What is wrong with the model, or with pictures for it, is raised by the detector.

    See Also
    --------
    ImageEmbedder : Features of the network as it is.

    Examples
    --------
    >>> from torch import nn
    >>> from curvdetect import FusedDetector, finetuning_net
    >>> module = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())  # stands for a pretrained network
    >>> detector = FusedDetector(finetuning_net(module, lr=3e-5, size=64))
    >>> detector.net.max_epochs
    7
    """
    if isinstance(head_epochs, bool) or not isinstance(head_epochs, Integral) or head_epochs < 0:
        raise ValueError(f"head_epochs must be a whole number of epochs, 0 or more, got {head_epochs!r}.")
    if isinstance(head_lr, bool) or not isinstance(head_lr, Real) or not 0 <= head_lr < math.inf:
        raise ValueError(f"head_lr must be a learning rate, such as 5e-4, got {head_lr!r}.")
    theirs = options.pop("callbacks", None) or []
    settings: Any = {
        "optimizer": torch.optim.AdamW,
        "optimizer__param_groups": [("head.*", {"lr": head_lr})],
        "weight_decay": DECAY,
        "callbacks": theirs if theirs == "disable" else [("head_first", HeadFirst(head_epochs)), *theirs],
        **options,
    }
    net = memorizing_net(
        FineTuned,
        lr=lr,
        max_epochs=max_epochs,
        schedule=schedule or partial(after_the_head, head_epochs=head_epochs),
        augment=augment,
        module__model=model,
        module__size=size,
        module__mean=mean,
        module__std=std,
        **settings,
    )
    return net.set_params(batch_size=batch_size)  # None is for the detector to choose


def after_the_head(n_epochs: int, head_epochs: int = HEAD_EPOCHS) -> Callable[[int], float]:
    """Return the default schedule: one while the last layer is trained alone, then one cycle over what is left."""
    return partial(_factor, head_epochs, one_cycle(max(1, n_epochs - head_epochs)))


def _factor(head_epochs: int, cycle: Callable[[int], float], epoch: int) -> float:
    return 1.0 if epoch < head_epochs else cycle(epoch - head_epochs)


class HeadFirst(Callback):
    """Freeze the pretrained part in the first epochs.

    Skorch's Freezer and Unfreezer act in one epoch each, and a training that is taken up may begin after it.
    """

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_epoch_begin(self, net: NeuralNet, **kwargs: object) -> None:
        """Freeze it, or let it learn."""
        net.module_.thaw(len(net.history) > self.epochs)


class FineTuned(nn.Module):
    """A pretrained network for pictures in [0, 1], under a new last layer, with a skorch net's ``module__`` parameters.

    ``n_classes`` and ``shape``, that of a picture, come from the data.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        model: str | nn.Module,
        n_classes: int,
        shape: tuple[int, ...],
        size: object = None,
        mean: object = None,
        std: object = None,
    ) -> None:
        super().__init__()
        found = backbone_of(model).asked(size, mean, std)
        found.check_channels(shape)
        self.backbone, self.seen = found.module.cpu().eval(), found[1:]
        self.learned = [name for name, part in self.backbone.named_parameters() if part.requires_grad]
        for name, values in (("mean", found.mean), ("std", found.std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).view(-1, 1, 1), persistent=False)
        with torch.no_grad():
            n_features = found.tried(self.normalized(torch.zeros(1, *shape, dtype=torch.float32))).shape[1]
        # features of every network on one scale, for steps of one length
        self.norm = nn.LayerNorm(n_features, elementwise_affine=False)
        self.head = nn.Linear(n_features, n_classes, dtype=torch.float32)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def normalized(self, x: Tensor) -> Tensor:
        """Return pictures as the network wants them."""
        return (Backbone(self.backbone, *self.seen).resized(x) - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        """Return logits."""
        logits: Tensor = self.head(self.norm(Backbone(self.backbone, *self.seen).features(self.normalized(x))))
        return logits

    def train(self, mode: bool = True) -> Self:
        """Set the mode of the last layer: in training, too, the network normalizes by the statistics it came with."""
        super().train(mode)
        self.backbone.eval()
        return self

    def lay_out(self, shape: tuple[int, ...]) -> None:
        """Put channels last in memory, by which a CPU is faster, where the network bears it."""
        x = self.normalized(torch.rand(2, *shape, generator=torch.Generator().manual_seed(0)))
        call = Backbone(self.backbone, *self.seen).features
        wanted = call(x).detach()
        try:
            self.backbone.to(memory_format=torch.channels_last)  # not where a weight has five dimensions
            found = call(x)
            if found.requires_grad:
                torch.autograd.backward(found.sum())
            borne = torch.allclose(found, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().amax()))
        except Exception:  # a view of what is no longer contiguous, or whatever a forward of the user's may raise
            borne = False
        self.backbone.zero_grad()
        if not borne:
            self.backbone.to(memory_format=torch.contiguous_format)

    def thaw(self, learns: bool) -> None:
        """Let those parameters of the network learn that were to as it came, or none."""
        for name in self.learned:
            self.backbone.get_parameter(name).requires_grad_(learns)


def sized_from(samples: Samples, net: NeuralNet) -> Record:
    """Return the parameters of a net for fine-tuning that come from its data, or raise why they are no pictures."""
    check_are_pictures(samples.shape)
    if getattr(net, "module__mean", None) is None:
        with isolated_rng(samples.device):  # a dataset may draw as it is read
            check_range(samples.batch(spread(len(samples), _LOOKED_AT)))
    return {"module__n_classes": len(samples.classes), "module__shape": samples.shape}
