"""What several scripts are told on the command line: the data, the recipe, and how curvature is measured."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from skorch import NeuralNet

from curvdetect import memorizing_net, one_cycle, step_decay

from . import data, recipes
from .environment import announce

_CIFAR = 50_000


class _Defaults(argparse.ArgumentDefaultsHelpFormatter):
    """Tells the defaults that there are, and no "None" where the help says in words what happens."""

    def _get_help_string(self, action: argparse.Action) -> str | None:
        without = action.default is None or action.default is False or action.default == []
        return action.help if without else super()._get_help_string(action)


def command_line(doc: str, paragraphs: int = 1, epilog: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of a script, described by the first paragraphs of its docstring."""
    description = "\n\n".join(doc.split("\n\n")[:paragraphs])
    return argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=_Defaults)


def add_data(
    parser: argparse.ArgumentParser, dataset: str = "digits", names: Sequence[str] = tuple(data.NAMES)
) -> None:
    """Add the options that choose the data."""
    add = parser.add_argument
    add("--dataset", choices=names, default=dataset)
    add("--data-dir", default="data", help="where torchvision finds the data, or the folder of pictures")
    add("--download", action="store_true", help="let torchvision fetch the data")
    add("--title", help="what the tables call the data; by default the dataset's name")
    add("--subset", type=int, help="use so many samples, class shares kept")
    add("--size", type=int, default=32, help="side of the pictures of a folder")


def add_recipe(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose a network, its length and the measuring."""
    add = parser.add_argument
    add("--net", help="a named network; by default one sized from the data")
    add("--epochs", type=int, help="length of the training; by default the net's own")
    add("--augment", action="store_true", help="crop and flip pictures while training")
    add(
        "--paper",
        nargs="?",
        const=True,
        metavar="NAME",
        help="full size: the paper's network, recipe and curvature; of the dataset, or of NAME for a folder",
    )
    add("--quick", action="store_true", help="with --paper: a tenth of the epochs, one-cycle, default curvature")
    add("--h", type=float, help="step of the finite difference (default: 0.01; the authors' 0.001)")
    add("--n", type=int, help="number of probes (default: 1; the authors' 10)")
    add("--power", type=int, choices=[1, 2], help="norm or squared norm (default: 1)")
    add("--every", type=every_or_auto, help="measure the curvature every so many epochs (default: auto; 1)")


def add_training(parser: argparse.ArgumentParser) -> None:
    """Add the options of a training that is compared with memorization."""
    add = parser.add_argument
    add("--epochs", type=int, help="length of every training; by default the net's own. Full size: 300")
    add("--augment", action="store_true", help="crop and flip pictures while training; the paper does, for CIFAR")
    add("--step-decay", action="store_true", help="the paper's schedule for CIFAR, in place of one cycle")
    add("--top", type=float, default=0.1, help="share of the samples that top-K looks at; the paper: 5,000 of 50,000")


def training_net(args: argparse.Namespace, net: Any, weight_decay: float, **more: Any) -> NeuralNet:
    """Return the net of such a training, with a weight decay of choice all the time."""
    schedule = step_decay if args.step_decay else one_cycle
    options = {"batch_size": recipes.BATCH, "augment": args.augment, "schedule": schedule, "for_tables": False}
    return memorizing_net(net, weight_decay=weight_decay, **options, **more)


def add_run(parser: argparse.ArgumentParser, out: Path) -> None:
    """Add the options of where a script runs, and where it writes: DATASET in ``out`` stands for the data's name."""
    add = parser.add_argument
    add("--device", default="auto")
    add("--threads", type=int, help="of torch; by default its own choice, and 1 for digits")
    add("--out", type=Path, default=out, help="folder for records, tables and pictures")


def started(args: argparse.Namespace) -> dict[str, str]:
    """Settle what `add_run` left open; print and return what the script runs on."""
    dataset = getattr(args, "dataset", "")
    args.out = Path(str(args.out).replace("DATASET", dataset))
    threads = args.threads or (1 if dataset == "digits" else None)
    if threads:
        torch.set_num_threads(threads)
    return announce(args.device)


def every_or_auto(text: str) -> int | str:
    return text if text == "auto" else int(text)


def settle(parser: argparse.ArgumentParser, args: argparse.Namespace) -> argparse.Namespace:
    """Fill in what was left open, and refuse what does not go together."""
    if args.paper is True:
        args.paper = args.dataset
    if args.paper and args.paper not in recipes.PAPER:
        parser.error(f"--paper {args.paper}: the paper has recipes for {', '.join(recipes.PAPER)}. Name one of them.")
    if args.paper and (args.net or args.augment):
        parser.error("--net and --augment go with the default recipe; --paper has its own. Leave one of them out.")
    if args.quick and not args.paper:
        parser.error("--quick shortens the recipes of --paper: pass both.")
    for name, value in (recipes.AUTHORS if args.paper and not args.quick else recipes.DEFAULTS).items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    return args


def nets(args: argparse.Namespace, n_samples: int) -> recipes.Nets:
    """Return the nets that the options ask for."""
    return recipes.nets(
        args.net,
        augment=args.augment,
        precision=getattr(args, "precision", None),
        paper=args.paper,
        quick=args.quick,
        n_samples=n_samples,
    )


def main_net(args: argparse.Namespace, weight_decay: float, n_samples: int) -> NeuralNet:
    """Return the net of a plain training, with a weight decay of choice."""
    net = nets(args, n_samples).main
    if not isinstance(net, NeuralNet):
        # a weight decay of choice, all the time
        net = memorizing_net(net, batch_size=recipes.batch_size(recipes.BATCH, n_samples), for_tables=False)
    return net.set_params(optimizer__weight_decay=weight_decay)


def shrinking(net: NeuralNet, decays: Sequence[float], n_epochs: int | None, n_samples: int) -> str:
    """Return in words how much each weight decay takes off the weights of a net, as long as it is trained."""
    factor = dict(net.callbacks)["schedule"].factor or one_cycle
    n_epochs = n_epochs or net.max_epochs
    shrunk = "; ".join(
        f"{decay:g}: {_shrinkage(decay, net.lr, factor, n_epochs, n_samples, net.batch_size):.3g}"
        for decay in decays
        if decay
    )
    return (
        "Weight decay times the sum of the learning rates over all steps, by which weights shrink: "
        f"{shrunk or 'none'}; in the paper's 300 epochs of CIFAR at batches of 128, {shrinkage_in_paper():.2g}."
    )


def shrinkage_in_paper() -> float:
    """Return that product for the paper's 300 epochs of CIFAR, with its weight decay of 1e-4."""
    return _shrinkage(1e-4, 0.1, step_decay, 300, _CIFAR, recipes.BATCH)


def _shrinkage(weight_decay: float, lr: float, schedule: Any, n_epochs: int, n_samples: int, batch_size: int) -> float:
    factor = schedule(n_epochs)
    return weight_decay * lr * math.ceil(n_samples / batch_size) * sum(factor(epoch) for epoch in range(n_epochs))


def measuring(args: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters of the paper's curvature, without contrast."""
    return {"contrast": False, "units": "raw", **{name: getattr(args, name) for name in ("h", "n", "power", "every")}}


def in_words(args: argparse.Namespace) -> str:
    """Return what was trained and how the curvature was measured."""
    net = f"The paper's network and recipe for {args.paper}" if args.paper else f"Net {args.net or 'default'}"
    net += ", a tenth of the epochs" if args.quick else ""
    return (
        f"{net}, epochs {args.epochs or 'default'}{', cropped and flipped' if args.augment else ''}; h = {args.h:g}, "
        f"n = {args.n}, power = {args.power}, every = {args.every}."
    )
