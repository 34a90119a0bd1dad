"""A fitted detector as files that outlive the code: JSON, npz and safetensors, none of which is executed on reading."""

from __future__ import annotations

import io
import json
import re
import warnings
from contextlib import suppress
from hashlib import blake2b
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load as load_weights
from safetensors.torch import save as save_weights
from sklearn.utils.validation import check_is_fitted
from skorch import NeuralNet

from curvdetect.data.devices import resolve_device
from curvdetect.data.inputs import HeldInputs
from curvdetect.data.isolation import isolated_rng
from curvdetect.data.samples import Samples
from curvdetect.data.types import Array, Record
from curvdetect.data.wording import brief
from curvdetect.detectors import registry
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import fitted_rows
from curvdetect.detectors.witnesses import Ridge
from curvdetect.review.encoding import decoded, encoded
from curvdetect.training.checkpoints import write_whole
from curvdetect.training.own_net import own_net, take_whole_numbers, takes_whole_numbers, whole_of
from curvdetect.training.ranks import writes_here

#: In format 1, the names of files did not hold their digests; in format 2, there was nothing fitted in closed form.
FORMAT = 3
_JSON, _ARRAYS, _NET = "detector.json", "arrays.npz", "net.safetensors"
#: Files that a description names by their digest, and drafts left by a process that was killed while it wrote.
_PARTS = re.compile(r"(?:arrays|net|snapshot-\d+)-([0-9a-f]{32})\.(?:npz|safetensors)|.+\.\d+\.draft")


def save(detector: BaseNoiseDetector, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a fitted detector to a directory of JSON, npz and safetensors files.

    The files hold scores, flags, projections of the rows, the net's weights, copies of the snapshots, and what was
    fitted without a training, so that a loaded detector scores new samples as before. They don't hold the data, but
    for what a regression needs of it: up to 1,000 standardized rows, or 200 whitened patches of pictures. A net of your
    own, functions, and a transformer of your own as ``features``, with the regression on it, are left out by name; pass
    the net to `load`. A detector that is replaced stays whole until the new one is, whatever ends the process.

    Parameters
    ----------
    detector : BaseNoiseDetector
        Fitted; one of curvdetect's own, as ``search.best_estimator_`` or the last step of a pipeline. Anything else
        raises TypeError, and labels of a kind that these files can't hold raise ValueError.
    path : str or Path
        The directory, which is made. Where there is something already, FileExistsError is raised.
    overwrite : bool, default=False
        Whether to replace a detector that was saved there.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import make_blobs
    >>> from curvdetect import LossDetector, load, save
    >>> X, y = make_blobs(60, centers=3, random_state=0, cluster_std=0.5)
    >>> detector = LossDetector(max_epochs=5, stop_at=0.9, device="cpu", random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(detector, f"{folder}/blobs")
    ...     again = load(f"{folder}/blobs")
    >>> bool((again.score_samples(X) == detector.scores_).all())
    True
    """
    kind = type(detector).__name__
    if registry.classes().get(kind) is not type(detector):
        raise TypeError(
            f"save knows curvdetect's own detectors, got {kind}. Pass best_estimator_ of a search, or the last step of "
            "a pipeline; joblib.dump writes a class of your own, with its code."
        )
    check_is_fitted(detector, "scores_")
    if not writes_here():
        return
    target = Path(path)
    if target.exists() and not (is_unfinished(target) or (overwrite and (target / _JSON).exists())):
        why = "holds something else than a detector" if overwrite else "is there already"
        raise FileExistsError(f"path={str(path)!r} {why}. Pass another, or overwrite=True where a detector may go.")
    files: dict[str, bytes] = {}
    arrays: dict[str, Array] = {}
    params, left_out, attributes = {}, {}, {}
    for name, value in detector.get_params(deep=False).items():
        try:
            params[name] = encoded(value, arrays, files)
        except TypeError:
            left_out[name] = brief(value)
    for name, value in vars(detector).items():
        if name not in params and name not in left_out and name != "net_":
            try:
                attributes[name] = encoded(value, arrays, files)
            except TypeError as error:
                if isinstance(value, Ridge):
                    continue  # on the features of a transformer of the user's own
                raise ValueError(f"{name} can't be saved: {error}. Fit on labels that are text or numbers.") from error
    net: Record | None = None
    if hasattr(detector, "net_"):
        settings = {name: getattr(detector.net_, name) for name in ("max_epochs", "batch_size")}
        net = {**settings, "whole_numbers": takes_whole_numbers(detector.net_)}
        weights = whole_of(detector.net_).state_dict()
        files[_NET] = save_weights({name: part.cpu().clone().contiguous() for name, part in weights.items()})
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]  # of allow_pickle, which older ones keep as an array
    files[_ARRAYS] = content.getvalue()
    description = {
        "format": FORMAT,
        "curvdetect": version("curvdetect"),
        "detector": kind,
        "params": params,
        "left_out": left_out,
        "attributes": attributes,
        "net": net,
        "files": {name: _digest(part) for name, part in files.items()},
    }
    _write(target, files, description)


def load(path: str | Path, *, net: object = None, map_location: str | torch.device | None = None) -> BaseNoiseDetector:
    """Return a detector that `save` wrote.

    Parameters
    ----------
    path : str or Path
        The directory; FileNotFoundError is raised where it holds no detector, ValueError where a file is torn or was
        written by a newer version.
    net : skorch.NeuralNet, nn.Module or nn.Module class, optional
        The net of your own that the detector was made with, whose code is not in the files. Without it the detector
        has no ``net_``, and can't score samples that were not fitted. Another net raises ValueError.
    map_location : str or torch.device, optional
        Device of the loaded net and detector; by default that of the saved one, or the CPU where it is missing.

    Returns
    -------
    BaseNoiseDetector
        Fitted.

    Examples
    --------
    >>> from curvdetect import load
    >>> load("no/such/folder")
    Traceback (most recent call last):
        ...
    FileNotFoundError: path='no/such/folder' holds no saved detector: there is no detector.json in it.
    """
    folder, here = Path(path), f"path={str(path)!r}"
    if not (folder / _JSON).exists():
        raise FileNotFoundError(f"{here} holds no saved detector: there is no {_JSON} in it.")
    try:
        saved = json.loads((folder / _JSON).read_bytes())
        form = saved["format"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder / _JSON} is torn ({error}).") from error
    by = f"curvdetect {saved.get('curvdetect')}"
    if form > FORMAT:
        raise ValueError(
            f"{here} was written in format {form} by {by}, and this version reads up to {FORMAT}: upgrade curvdetect."
        )
    places = {
        name: folder / (Path(name).name if form == 1 else _stored(name, digest))
        for name, digest in saved["files"].items()
    }
    files = {name: _read(place, saved["files"][name]) for name, place in places.items()}
    with np.load(io.BytesIO(files[_ARRAYS]), allow_pickle=False) as stored:
        arrays = dict(stored)
    params = {name: decoded(value, arrays, places) for name, value in saved["params"].items()}
    if net is not None:
        params["net"] = net
    missing = {name: text for name, text in saved["left_out"].items() if name not in params}
    if missing:
        texts = "; ".join(f"{name}={text}" for name, text in missing.items())
        way = "Pass load(..., net=...) for samples that were not fitted." if "net" in missing else "Set it again."
        said = f"the detector was saved without {texts}, which no file can hold. {way}"
        warnings.warn(said, UserWarning, stacklevel=2)
    kind = registry.classes().get(saved["detector"])
    if kind is None:
        raise ValueError(f"{here}: this version knows no detector {saved['detector']!r}.")
    try:
        detector = kind(**params)
    except TypeError as error:
        why = "holds a parameter that this version doesn't know"
        raise ValueError(f"{here} {why}, written by {by}: {error}.") from error
    for name, value in saved["attributes"].items():
        if name.startswith("__") or hasattr(type(detector), name):
            raise ValueError(f"{here} holds an attribute {name!r}, which is no result of a fit.")
        setattr(detector, name, decoded(value, arrays, places))
    if map_location is not None:
        detector.device = str(resolve_device(map_location))
    try:
        device = resolve_device(detector.device)
    except ValueError:
        detector.device, device = "cpu", torch.device("cpu")  # saved where there was another
    if saved["net"] is not None and "net" not in missing:
        detector.net_ = _net_of(detector, files[_NET], device, **saved["net"])
    return detector


def _net_of(
    detector: BaseNoiseDetector, weights: bytes, device: torch.device, *, whole_numbers: bool = False, **settings: int
) -> NeuralNet:
    """Return a new net with the weights of the trained one."""
    rows = fitted_rows(detector)
    # as many samples as were fitted, by which a default network is sized; one number for all of them
    inputs = HeldInputs(torch.zeros(()).expand(len(rows.labels), *rows.shape))
    stand_in = Samples(inputs, torch.from_numpy(rows.labels), detector.classes_)
    with isolated_rng(device, 0):
        net = own_net(detector.net, stand_in).set_params(device=str(device), **settings).initialize()
    if whole_numbers:
        take_whole_numbers(net)
    net.check_data(stand_in, stand_in.labels.numpy())  # sets the classes
    try:
        whole_of(net).load_state_dict(load_weights(weights))
    except RuntimeError as error:
        raise ValueError(f"net is not the one that the detector was fitted with: {error}") from error
    return net


def is_unfinished(folder: Path) -> bool:
    """Say whether a folder that exists is empty, save for the parts of a first detector whose `save` was killed."""
    return folder.is_dir() and all(_PARTS.fullmatch(entry.name) for entry in folder.iterdir())


def _write(target: Path, files: dict[str, bytes], description: Record) -> None:
    """Write files beside those that are there, and then, in one step, the description that names them."""
    content, fresh = json.dumps(description, indent=1, allow_nan=False).encode(), not target.exists()
    try:
        for name, part in files.items():
            write_whole(target / _stored(name, description["files"][name]), part)
        write_whole(target / _JSON, content)
    finally:
        with suppress(OSError):  # a file that can't be removed does no harm
            named = (target / _JSON).read_text() if (target / _JSON).exists() else ""
            for entry in list(target.iterdir()):
                found = _PARTS.fullmatch(entry.name)
                if found and (found[1] is None or found[1] not in named):
                    entry.unlink()
            if fresh and not any(target.iterdir()):
                target.rmdir()


def _stored(name: str, digest: str) -> str:
    """Return the name of a stored file, which has the digest of its content in it."""
    return Path(f"{Path(name).stem}-{digest}{Path(name).suffix}").name


def _read(file: Path, digest: str) -> bytes:
    """Return a file's content, or raise where it is not the one that was saved."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} belongs to the saved detector and can't be read ({error}).") from error
    if _digest(content) != digest:
        raise ValueError(f"{file} is torn: it is not the file that was saved.")
    return content


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
