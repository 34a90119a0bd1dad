"""What the record of an epoch says of the signals that were measured after it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skorch.callbacks import EarlyStopping

from curvdetect.data.sources import as_samples
from curvdetect.signals.dynamics import Loss
from curvdetect.signals.mean_curvature import Curvature, CurvatureContrast
from tests.cases import digits, quick_net
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
OPTIONS = {"h": 1e-2, "n": 1, "power": 1, "seed": 0}


class Kept(Curvature):
    """Curvature that keeps what it measured in each epoch."""

    def start(self, plan):
        super().start(plan)
        self.measured = {}

    def value(self, batch):
        values = super().value(batch)
        self.measured.setdefault(batch.epoch, []).append(values)
        return values


class Uncounted(Curvature):
    """A signal that keeps no mean of the house's."""

    def start(self, plan):
        self.mean = None

    def update(self, batch):
        pass

    def end_epoch(self):
        pass


def samples():
    return as_samples(*digits(90))


def test_a_scored_epoch_holds_the_mean_over_the_samples_in_that_epoch():
    kept = Kept(**OPTIONS)
    run = train(quick_net(), samples(), [kept, Loss()], every=2)
    found = {r["epoch"]: r["mean_curvature"] for r in run.history if "mean_curvature" in r}
    assert list(found) == [r["epoch"] for r in run.history if r["scored"]] == [2, 4]
    for epoch, mean in found.items():
        assert mean == pytest.approx(torch.cat(kept.measured[epoch]).double().mean().item())
    assert np.mean(list(found.values())) == pytest.approx(kept.scores().mean())


def test_every_scoring_signal_has_its_mean_and_no_other():
    signals = [CurvatureContrast(**OPTIONS), Curvature(**OPTIONS, name="mine"), Uncounted(**OPTIONS), Loss()]
    record = train(quick_net(), samples(), signals, every=1).history[0]
    assert {name for name in record if name.startswith("mean_")} == {"mean_curvature_contrast", "mean_mine"}


ENDINGS = {
    "stop_at": {"net": quick_net(), "stop_at": 0.01},
    "callback": {"net": quick_net(callbacks=[EarlyStopping(monitor="train_loss", patience=1, threshold=1e9)])},
}


@pytest.mark.parametrize("options", ENDINGS.values(), ids=ENDINGS)
def test_an_epoch_scored_after_all_has_its_mean_too(options):
    curvature = Curvature(**OPTIONS)
    run = train(samples=samples(), signals=[curvature], every=4, **options)
    assert len(run.history) < 4
    assert run.history[-1]["mean_curvature"] == pytest.approx(curvature.scores().mean())
