"""Checks of parameters."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils import check_random_state
from torch import nn

from curvdetect.data.labels import plain
from curvdetect.data.wording import brief
from curvdetect.training.ranks import by_first


def is_count(value: Any) -> bool:
    """Say whether ``value`` is a whole number, at least 1."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def check_net_params(net: Any, params: dict[str, Any]) -> None:
    """Raise where parameters of the net are set and there is no skorch net to have them."""
    name = next((name for name in params if name.startswith("net__")), None)
    if name is None or hasattr(net, "set_params"):
        return
    shown = f"{type(net).__name__}(...)" if isinstance(net, nn.Module) else repr(getattr(net, "__name__", net))
    raise ValueError(
        f"{name!r} can't be set: net={shown} has no parameters of its own. Pass net=memorizing_net({shown}), which has."
    )


def as_weights(sample_weight: Any, n_samples: int) -> Any:
    """Return weights of samples as they are; raise where they are no weights."""
    if sample_weight is None:
        return None
    sample_weight = plain(sample_weight, "sample_weight")
    try:
        weights = np.asarray(sample_weight, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"sample_weight must hold numbers, got {brief(sample_weight)}.") from None
    if weights.shape != (n_samples,) or not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            f"sample_weight must hold {n_samples} numbers, one for each sample, finite, none negative and not all "
            f"zero, got an array of shape {weights.shape}: {weights.ravel()[:5].tolist()}..."
        )
    return weights


def derive_seed(random_state: Any) -> int:
    """Return a seed; None draws one from the system, not from numpy's global generator. One for all processes."""
    return by_first(lambda: _seed_of(random_state))


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    try:
        return int(check_random_state(random_state).randint(2**31 - 1))
    except ValueError as error:
        raise ValueError(
            f"random_state must be None, a whole number from 0 to 2**32 - 1, or a numpy RandomState: {error}."
        ) from error


def derived_seed(seed: int, *key: int) -> int:
    """Return another seed, told apart from its like by ``key``."""
    # the tag keeps these apart from the seeds that a second split derives from its own
    return int(np.random.SeedSequence([seed, *key, 1]).generate_state(1)[0])
