"""``curvdetect scan`` and ``curvdetect report``: from PATH to a ranking, a saved detector and a page to look at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import pandas as pd

from curvdetect.cli import handed_on
from curvdetect.cli.console import Failure, say, tell
from curvdetect.cli.options import FITTING, READING, chosen
from curvdetect.cli.output import CHECKPOINTS, DETECTOR, PAGE, SKIPPED, SUSPECTS, Output
from curvdetect.cli.source import PHOTOS, asked_of, embedded, features_for, note, read, say_skipped
from curvdetect.data.types import Record
from curvdetect.data.wording import listed, safe, short
from curvdetect.detectors.base import BaseNoiseDetector
from curvdetect.detectors.inputs import rows_fitted
from curvdetect.detectors.registry import DETECTORS, scanned
from curvdetect.files.braces import is_braced
from curvdetect.files.labelled import LabelledData, row_name
from curvdetect.files.safe_csv import inert, inert_path, write_csv
from curvdetect.review.overview import by_class
from curvdetect.review.report import write_report
from curvdetect.review.storage import load, save
from curvdetect.signals.registry import SIGNALS

#: How many suspects are printed.
_TOP = 5
_TO_JUDGE = "the suspects, to judge; curvdetect apply writes the corrected labels"
#: Options that may differ when a scan is resumed: they change no score, or only by rounding.
_FREE = ("q", "device")
#: The detector by default, and where there are labels and probabilities alone.
_DEFAULT, _OF_LABELS = "fused", "confident"
#: What scans by fused recorded beside while none could be asked for what.
_ONCE_BESIDE = ("input_gradient", "late_loss", "late_margin", "curvature_contrast")
#: Folder beside DIR in which features are kept.
_FEATURES = "curvdetect-features"


def scan(
    path: Path,
    out: Path,
    name: str | None,
    features: str | None,
    tools: tuple[str, ...],
    also: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    quiet: bool,
    **options: object,
) -> None:
    """Rank the samples of PATH by how suspect their labels are."""
    output = Output(out)
    output.check(path, resume=resume, overwrite=overwrite)
    reading, fitting = chosen(READING, options), chosen(FITTING, options)
    _check(name or _DEFAULT, reading, fitting)
    earlier = output.record() if resume else {}
    if features is None and earlier.get("features", "") in (None, PHOTOS):
        features = earlier["features"] or "none"  # whatever is installed by now
    features = features_for(path, reading, features, fitting["net"])
    data = read(path, reading, features, quiet)
    if data.alone:
        if name not in (None, _OF_LABELS):
            raise click.UsageError(
                f"PATH holds labels alone, which --detector {_OF_LABELS} ranks: leave --detector {name} out."
            )
        _check(_OF_LABELS, reading, fitting)
    name = name or (_OF_LABELS if data.alone else _DEFAULT)
    entry = DETECTORS[name]
    if earlier and not fitting["beside"] and "beside" in entry.takes:
        fitting["beside"] = tuple(earlier.get("beside", _ONCE_BESIDE))
    say_skipped(data, f", all listed in {SKIPPED}")
    handed_on.check(tools, also, data)
    if not quiet:
        what = "labels" if data.alone else "rows" if data.paths is None else "pictures"
        label = f", labels in column '{short(data.label)}'" if data.label else ""
        label += f" of '{data.file}'" if data.file else ""
        label += f"; missing entries are filled in {listed(data.gaps)}" if data.gaps else ""
        classes = np.unique(data.y)
        of = f"of {len(classes)} classes" if len(classes) > 1 else f"of class '{short(classes[0])}' alone"
        say(f"{len(data.y)} {what} {of}{label}")
    fixed = {
        option.opts[0].removeprefix("--"): fitting[str(option.name)] for option in FITTING if option.name not in _FREE
    }
    record = {**reading, "label": data.label, "detector": name, "features": features, **fixed}
    output.make(path, record, resume=resume, overwrite=overwrite)
    if data.skipped:
        write_csv(output / SKIPPED, ["path", "why"], ([inert_path(one), why] for one, why in data.skipped.items()))
    data = _embedded(data, features, output, fitting["device"], quiet)
    here = {"checkpoint_dir": output / CHECKPOINTS, "verbose": 0 if quiet else 1}
    detector = entry.scanning(**{key: value for key, value in {**fitting, **here}.items() if key in entry.takes})
    _fit(detector, data, output)
    _write_suspects(detector, data, output / SUSPECTS)
    # DIR may move, and the detector must not write there once it is loaded
    elsewhere = {"checkpoint_dir": None, "verbose": 0}
    detector.set_params(**{key: value for key, value in elsewhere.items() if key in entry.takes})
    save(detector, output / DETECTOR, overwrite=True)
    if not quiet:
        say("writing the page ...")
    _write_page(detector, data, path, output / PAGE, paths=data.called())
    more = handed_on.write(_ranked(detector, data), detector.classes_, data, path, out, tools, also)
    _tell_what_was_found(detector, data, output, more)


def _check(name: str, reading: Record, fitting: Record) -> None:
    """Raise where a detector doesn't take what is passed."""
    entry, probs = DETECTORS[name], reading["probs"] is not None
    if probs and not entry.takes_probabilities:
        some = " or ".join(name for name, one in scanned().items() if one.takes_probabilities)
        raise click.UsageError(f"--detector {name} takes no probabilities: leave --probs out, or choose {some}.")
    takes = entry.takes - ({"net", "max_epochs"} if probs and name == _OF_LABELS else set())
    foreign = [one.opts[0] for one in FITTING if one.name not in takes and fitting[str(one.name)] not in (None, ())]
    if foreign:
        how = " with --probs" if probs else ""
        raise click.UsageError(
            f"--detector {name}{how} takes no {' and no '.join(foreign)}: leave {'them' if foreign[1:] else 'it'} out."
        )
    known = [one for one, signal in SIGNALS.items() if signal.recorded != "second split"]
    if unknown := [one for one in fitting["beside"] if one not in known]:
        raise click.UsageError(
            f"--beside {unknown[0]} is no signal that can be recorded: take one of {', '.join(known)}."
        )


def report(
    directory: Path, source: Path | None, out: Path | None, k: int | None, title: str | None, quiet: bool
) -> None:
    """Render the page of the scan in a directory again."""
    output = Output(directory)
    recorded = output.record()
    output.check_finished()
    detector = load(directory / DETECTOR)
    path = source if source is not None else Path(recorded.get("path", ""))
    if source is None and (not recorded.get("path") or not (path.exists() or is_braced(path))):
        raise click.UsageError("the data is not where it was scanned: pass --data PATH.")
    reading = chosen(READING, recorded)
    if (probs := reading.get("probs")) and not Path(probs).exists():
        reading["probs"] = None  # what is shown needs none, but for labels alone
        if asked_of(path, reading).alone:
            raise Failure(f"the page shows probabilities, and '{short(probs)}' is not there. Put the file back.")
    data = read(path, reading, recorded.get("features"), quiet)
    data = _embedded(data, recorded.get("features"), output, "auto", quiet)
    n_fitted = len(detector.scores_)
    try:
        index = rows_fitted(detector, data.X)
    except ValueError as error:
        raise Failure(
            f"PATH has samples that are not among the {n_fitted} that were scanned. Pass --data with what was scanned, "
            "or scan again."
        ) from error
    missing = n_fitted - len(np.unique(index))
    if missing or len(index) != n_fitted:
        raise Failure(
            f"PATH has {len(index)} samples, and {missing} of the {n_fitted} that were scanned are not among them (or "
            "are copies of others, in another order). Pass --data with what was scanned, or scan again."
        )
    target = out if out is not None else output / PAGE
    named = replace(data, paths=data.called()).at(np.argsort(index))
    _write_page(detector, named, path, target, paths=named.paths, k=k, title=title)
    tell(f"{safe(target)}: {_TO_JUDGE}")


def _embedded(data: LabelledData, features: str | None, output: Output, device: str, quiet: bool) -> LabelledData:
    """Return the samples as features, if these are asked for, which are kept beside the directory of the scan."""
    folder = output.path.absolute().with_name(_FEATURES)
    given = data
    try:
        data = embedded(given, features, device, quiet, folder)
    except KeyboardInterrupt as error:
        raise KeyboardInterrupt(f"The same command goes on with the features in {folder}.") from error
    if data is not given and not quiet:
        say(f"features are in {safe(folder)}, where another scan finds them")
    return data


def _fit(detector: BaseNoiseDetector, data: LabelledData, output: Output) -> None:
    """Fit; where that is interrupted, keep the ranking so far and say how to go on."""
    try:
        detector.fit(data.X, data.y, **({} if data.pred_probs is None else {"pred_probs": data.pred_probs}))
    except KeyboardInterrupt as error:
        goes_on = f"goes on from {output / CHECKPOINTS}" if detector.checkpoint_dir else "starts it again"
        kept = [f"The same command with --resume {goes_on}."]
        if hasattr(detector, "scores_"):
            _write_suspects(detector, data, output / SUSPECTS)
            epochs = getattr(detector, "n_iter_", None)  # trainings on folds have no one number
            by = "trainings" if epochs is None else f"{epochs} epochs"
            kept.insert(0, f"{output / SUSPECTS} ranks by the {by} that were complete.")
        raise KeyboardInterrupt(" ".join(kept)) from error
    except ValueError as error:
        if str(error).startswith("checkpoint_dir="):
            raise Failure(f"{error} Here: --overwrite starts anew.") from error
        raise


def _ranked(detector: BaseNoiseDetector, data: LabelledData) -> dict[str, list[object]]:
    """Return the columns of the whole ranking, most suspect first."""
    table = detector.ranking()
    index = table["index"].to_numpy()
    columns: dict[str, list[object]] = {"index": index.tolist()}
    if data.rows is not None:
        columns["row"] = data.rows[index].tolist()
    if data.paths is not None:
        columns["path"] = [data.paths[i] for i in index]
    columns |= {name: [values[i] for i in index] for name, values in data.columns.items()}
    columns |= {name: table[name].tolist() for name in ("given", "suggested", "score", "rank", "flagged")}
    return columns | {name: scores[index].tolist() for name, scores in detector.signal_scores_.items()}


def _write_suspects(detector: BaseNoiseDetector, data: LabelledData, target: Path) -> None:
    """Write the whole ranking, most suspect first."""
    columns = _ranked(detector, data)
    for name in {"path", "given", "suggested", *data.columns} & {*columns}:
        columns[name] = [inert_path(str(one)) if name == "path" else inert(one) for one in columns[name]]
    write_csv(target, list(columns), zip(*columns.values(), strict=True))


def _write_page(
    detector: BaseNoiseDetector,
    data: LabelledData,
    source: Path,
    target: Path,
    *,
    paths: list[str] | None,
    k: int | None = None,
    title: str | None = None,
) -> None:
    """Write the page of a detector that was fitted on ``data``, which was read from ``source``."""
    title = title or f"Suspects in {short(source.name)}"
    write_report(detector, data.X, target, X_display=data.shown, paths=paths, k=k, title=title, note=note(data))


def _tell_what_was_found(detector: BaseNoiseDetector, data: LabelledData, output: Output, more: dict[str, str]) -> None:
    rate = getattr(detector, "noise_rate_", np.nan)
    if np.isfinite(rate):
        low, high = detector.noise_rate_interval_
        tell(
            f"Some {100 * rate:.2g} % of the labels are estimated to be wrong ({100 * low:.2g} to {100 * high:.2g} %)."
        )
    names = data.called()
    counted = ", rows counted from 0" if data.paths is None else ""
    tell(f"{int(detector.labels_.sum())} of {len(data.y)} labels are flagged. The most suspect{counted}:")
    for suspect in detector.ranking(min(_TOP, len(data.y))).to_dict("records"):
        i = suspect["index"]
        where = names[i] if names is not None else row_name(i)
        given, suggested = (short(suspect[name], 30) for name in ("given", "suggested"))
        tell(f"{suspect['rank']:>3}. {short(where)} is labelled {given}, looks like {suggested}")
    _tell_by_class(detector)
    whats = {SUSPECTS: "all samples, ranked", PAGE: _TO_JUDGE, DETECTOR: "the detector", **more}
    if data.skipped:
        whats[SKIPPED] = f"{len(data.skipped)} file(s) that are not among the samples, and why"
    for name, what in whats.items():
        tell(f"{safe(output / name)}: {what}")


def _tell_by_class(detector: BaseNoiseDetector) -> None:
    """Print the classes of which most is flagged, where there are several with flagged labels."""
    table = by_class(detector)
    worst = table[table["flagged"] > 0].head(_TOP).to_dict("records")
    if len(worst) < 2:
        return
    shown = pd.DataFrame(
        {
            "class": [short(row["class"], 24) for row in worst],
            "flagged": [f"{row['flagged']} of {row['samples']}" for row in worst],
            "share": [f"{100 * row['low']:.0f} to {100 * row['high']:.0f} %" for row in worst],
            "looks mostly like": [short(row["suggested"], 24) for row in worst],
        }
    )
    tell("Flagged labels by class, with the 95 % interval of their share:")
    for line in shown.to_string(index=False).splitlines():
        tell(f"  {line}")
