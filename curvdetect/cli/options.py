"""The options that commands share, in groups, and the types of others.

An option is named like the argument that it becomes, so that a command passes its group on as a whole: a new one needs
its definition here, and its use where the argument arrives.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from curvdetect.files.braces import is_braced
from curvdetect.training import NETS

if TYPE_CHECKING:
    from curvdetect.data.types import Record

#: The entry of a context's ``meta`` that says whether to show tracebacks.
DEBUG = "curvdetect.debug"


class _Data(click.Path):
    """A file or folder that is there, or several files by one name with braces."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return Path(value) if is_braced(Path(value)) else super().convert(value, param, ctx)


#: Types.
COUNT, FILE, EXISTING = click.IntRange(min=1), click.Path(path_type=Path), _Data(exists=True, path_type=Path)
#: A file that is read beside PATH, which a record of a scan knows wherever it is called from.
CONTENT = click.Path(exists=True, dir_okay=False, resolve_path=True)


def share(text: str) -> float | str:
    """Return 0.05 for ``0.05`` and ``5%``, 20 for ``20``, and any other text as it is, for the detector to judge."""
    text = text.strip()
    for read in (int, float, lambda text: float(text.removesuffix("%")) / 100):
        try:
            return read(text)
        except ValueError:
            continue
    return text


#: Arguments of `read_data`.
READING = (
    click.Option(
        ["--label"],
        metavar="NAME",
        help="Column of a table, or array of an .npz file, with the labels. Default: the one named label, labels, "
        "target, y or class.",
    ),
    click.Option(
        ["--drop"], metavar="COLUMN", multiple=True, help="Column of a table not to train on; may be repeated."
    ),
    click.Option(
        ["--pictures"],
        metavar="COLUMN",
        help="Column of pictures of a table. Default: the one whose content is that, or names pictures.",
    ),
    click.Option(
        ["--root"],
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False, resolve_path=True),
        help="Folder that names of pictures start from. Default: that of the file which names them, or one near it.",
    ),
    click.Option(
        ["--labels"],
        metavar="FILE",
        type=CONTENT,
        help="Labels of the samples in an .npy or .npz file: a table, an .npy, or a .txt with one label a line.",
    ),
    click.Option(
        ["--samples"],
        metavar="NAME",
        help="Array of an .npz file with the samples. Default: the one that its name or its shape shows.",
    ),
    click.Option(
        ["--split"],
        metavar="NAME",
        help="Part to read of data with parts such as train and test, or all of them together.",
    ),
    click.Option(
        ["--probs"],
        metavar="FILE",
        type=CONTENT,
        help="Probabilities of all classes by a model of your own, out of fold, for each sample in PATH: .npy or .npz, "
        "columns in the order of the sorted classes, or a table, columns named by them.",
    ),
    click.Option(
        ["--size"],
        type=COUNT,
        help="Side of the square, in pixels, to which pictures are resized and cropped. Default: 32, or 224 with "
        "--features.",
    ),
    click.Option(
        ["--limit"],
        type=click.IntRange(min=2),
        help="Number of samples to read, chosen at random, the same in every call. Default: all.",
    ),
)

#: What makes features of pictures and texts.
FEATURES = click.Option(
    ["--features"],
    metavar="MODEL",
    help="Rank by what a pretrained network sees in the pictures, which needs few of them and little time: timm:NAME "
    "(needs timm) or torchvision:NAME, whose weights are downloaded, or either with @FILE for weights in a file. Or by "
    "what a model makes of the texts of a table: model2vec:NAME or sentence-transformers:NAME, where NAME may be a "
    "folder. none takes the pixels. Default: for photos EfficientNet-Lite0, where timm is installed; else none.",
)

#: Arguments of a detector.
TRAINING = (
    click.Option(
        ["--net"],
        metavar="NAME",
        help=f"Network: {' or '.join(NETS)}, the paper's, for pictures. Default: one sized from the data.",
    ),
    click.Option(
        ["--epochs", "max_epochs"],
        type=COUNT,
        help="Length of the training. Default: that of the net, 30; a scan by fused "
        "takes 8 to 20, by the samples, unless --net or --beside is passed.",
    ),
    click.Option(["--device"], default="auto", metavar="NAME", help="auto, cpu, cuda, cuda:1 or mps."),
)

#: Arguments of the detector that a scan fits.
FITTING = (
    click.Option(
        ["--q"],
        type=share,
        metavar="SHARE",
        default="0.1",
        help="How many to flag: a share (0.05 or 5%), a count (200), or auto, the estimated number of wrong labels, "
        "which takes one more training, but for fused, leave-one-out and out-of-bag. Changes no score.",
    ),
    *TRAINING,
    click.Option(
        ["--beside"],
        metavar="SIGNAL",
        multiple=True,
        help="Signal of the training to record beside those by which fused ranks, such as curvature_contrast or "
        "input_gradient; may be repeated. The training then lasts as long as that of the net, 30 epochs, and a "
        "curvature takes up to half as long again.",
    ),
    click.Option(["--seed", "random_state"], type=int, default=0, help="Same seed, same scores on the same machine."),
)

#: Options that have other names than their arguments, by which warnings call them.
RENAMED = {str(option.name): option.opts[0] for option in TRAINING if f"--{option.name}" not in option.opts}
RENAMED["pred_probs"] = "--probs"

#: What a command prints.
PRINTING = (
    click.Option(["--quiet"], is_flag=True, help="Print results, warnings and errors only."),
    click.Option(
        ["--debug"],
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, param, value: ctx.meta.__setitem__(DEBUG, value),
        help="Show the traceback of an error.",
    ),
)


def chosen(group: Iterable[click.Option], values: Mapping[str, object]) -> Record:
    """Return those values that are of a group of options."""
    return {name: values[name] for name in (str(option.name) for option in group) if name in values}
