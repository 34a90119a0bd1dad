"""Equal fits have equal texts in every process, and what differs is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from skorch import NeuralNetClassifier
from skorch.callbacks import EarlyStopping
from torch import nn

from curvdetect import memorizing_net, one_cycle, step_decay
from curvdetect.training.identity import claim, described, identity_of
from curvdetect.training.nets import MLP

ROOT = Path(__file__).parents[2]


class Holder:
    def __init__(self, value):
        self.value = value


def _loop():
    holder = Holder(1)
    holder.value = holder
    return holder


def _outer(x):
    return [y + 1 for y in x if y in {"a", "b", "c", "d"}]


def _steps(gamma):
    return lambda n: step_decay(n, gamma=gamma)


def _steps_by_default(gamma):
    return lambda n, gamma=gamma, *, at=(gamma,): step_decay(n, at, gamma)


class Scaled(nn.Linear):
    def __init__(self, factor):
        torch.manual_seed(0)
        super().__init__(2, 2)
        self.factor = factor

    def forward(self, x):
        return self.factor * super().forward(x)


def _linear(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(2, 2)


#: Pairs of values that differ in one respect.
CHANGES = {
    "weights": (_linear(0), _linear(1)),
    "code": (lambda n: n + 1, lambda n: n + 2),
    "closure": (_steps(0.1), _steps(0.2)),
    "default": (_steps_by_default(0.1), _steps_by_default(0.2)),
    "factor": (nn.Sequential(Scaled(1.0)), nn.Sequential(Scaled(2.0))),
    "range": (range(1, 3), range(2, 4)),
    "series": (pd.Series([1, 2]), pd.Series([3, 4])),
    "objects": (np.array(["a", 1, None], dtype=object), np.array(["b", 1, None], dtype=object)),
    "fraction": (Fraction(1, 3), Fraction(1, 4)),
    "bound": (partial(step_decay, gamma=0.1), partial(step_decay, gamma=0.2)),
    "array": (np.zeros(3), np.zeros(4)),
    "dtype": (np.ones(3), np.ones(3, dtype=np.float32)),
    "attribute": (Holder(1), Holder(2)),
    "order": ([1, 2], [2, 1]),
    "patience": (EarlyStopping(patience=1), EarlyStopping(patience=2)),
}
SAMPLES = {
    **{f"{name} {i}": value for name, pair in CHANGES.items() for i, value in enumerate(pair)},
    "number": 0.01,
    "text": "auto",
    "none": None,
    "path": Path("a/b"),
    "tensor": torch.arange(3.0),
    "bytes_tensor": torch.ones(2, dtype=torch.bfloat16),
    "class": nn.ReLU,
    "function": _outer,
    "lambda": lambda n: {"x", "y", "z", n},
    "method": Holder(3).__init__,
    "builtin": len,
    "dict": {"b": 1, "a": [1, (2, 3)]},
    "set": {"p", "q", "r"},
    "object": Holder(Holder(2)),
    "loop": _loop(),
    "net": memorizing_net(_linear(), schedule=one_cycle),
}


def test_texts_are_the_same_in_another_process():
    code = (
        "import json, tests.training.test_identity as t;"
        "print(json.dumps({k: t.described(v) for k, v in t.SAMPLES.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **os.environ,  # the instructions of the processor decide the weights
            "PYTHONHASHSEED": "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1",
            "PYTHONPATH": str(ROOT),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: described(value) for name, value in SAMPLES.items()}


def test_texts_tell_the_samples_apart_and_hold_no_address():
    texts = [described(value) for value in SAMPLES.values()]
    assert len(set(texts)) == len(texts)
    assert [text for text in texts if "0x" in text] == []


def _logging(to):
    return lambda net: to.append(net)


def _counting(n):
    def count(net):
        nonlocal n
        n += 1

    return count


@pytest.mark.parametrize(("one", "other"), [(_logging([]), _logging([1])), (_counting(0), _counting(1))])
def test_what_a_function_writes_to_does_not_show(one, other):
    assert described(one) == described(other)


def test_parameters_of_a_net_are_named_one_by_one():
    one = identity_of({"h": 0.01, "net": memorizing_net(MLP(4, 2, 8), lr=0.1)})
    other = identity_of({"h": 0.01, "net": memorizing_net(MLP(4, 2, 8), lr=0.2)})
    assert {name for name in one if one[name] != other[name]} == {"net__lr", "net__module"}
    assert one["net"] == "curvdetect.training.recipe.MemorizingNet"
    assert identity_of({"net": NeuralNetClassifier(MLP, module__n_features=4)})["net__module__n_features"] == "4"


IDENTITY = {"h": "0.01", "net__lr": "0.1", "X": "x", "y": "y"}


def test_the_first_fit_claims_the_directory_and_its_seed_stays(tmp_path):
    place, seed = claim(tmp_path / "new", IDENTITY, seed=5)
    assert (place.path, seed) == (tmp_path / "new", 5)
    assert claim(str(tmp_path / "new"), IDENTITY, seed=6)[1] == 5


UNREADABLE = {"torn": '{"format": 1, "se', "empty": "", "other": "[]", "newer": '{"format": 99}'}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_says_nothing_is_refused(tmp_path, content):
    (tmp_path / "fit.json").write_text(content)
    with pytest.raises(ValueError, match=r"fit\.json (can't be read|is of format 99).*Delete the directory"):
        claim(tmp_path, IDENTITY, seed=0)
