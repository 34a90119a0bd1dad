"""A dataset in two views is trained on as one yields it, and scored as the other does."""

from __future__ import annotations

import pytest
import torch
from torch.utils.data import DataLoader

from curvdetect import TwoViews
from curvdetect.data import sources
from curvdetect.data.sources import as_samples
from curvdetect.signals.mean_curvature import Curvature
from tests.cases import Items, digits, quick_net
from tests.training.test_tracker import Recorder
from tests.training.trainings import train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

VIEWED = {
    "own loader": lambda: quick_net(max_epochs=2),
    "dataloader with workers": lambda: quick_net(
        max_epochs=2,
        iterator_train=DataLoader,
        iterator_train__shuffle=True,
        iterator_train__num_workers=1,
        iterator_valid__num_workers=1,
    ),
}


@pytest.mark.parametrize("resident", [True, False], ids=["in memory", "read as asked for"])
@pytest.mark.parametrize("net", VIEWED.values(), ids=VIEWED)
def test_one_view_is_trained_on_and_the_other_is_scored(net, resident, monkeypatch):
    X, y = digits(90)
    clean, turned = torch.tensor(X), torch.tensor(X.reshape(-1, 8, 8).transpose(0, 2, 1).reshape(-1, 64).copy())
    if not resident:
        monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)
    samples = as_samples(TwoViews(Items(zip(clean, y, strict=True)), Items((x, None) for x in turned)))
    signals = training, scoring, final = Recorder("training"), Recorder("scoring", "other"), Recorder("final", "last")
    run = train(net(), samples, signals, every=1)
    for epoch in (1, 2):
        index = training.column(epoch, 0)
        assert sorted(index.tolist()) == list(range(90))
        assert torch.equal(training.column(epoch, 1), turned[index])
        assert training.column(epoch, 2).tolist() == y[index].tolist()
        assert scoring.column(epoch, 0).tolist() == list(range(90))
        assert torch.equal(scoring.column(epoch, 1), clean)
    assert torch.equal(final.column(2, 1), clean)
    with torch.no_grad():
        right = (run.net.module_(clean).argmax(1).numpy() == y).mean()
    assert run.train_accuracy == pytest.approx(right)


def test_workers_that_read_for_scoring_change_no_score(monkeypatch):
    monkeypatch.setattr(sources, "RESIDENT_BYTES", 0)
    X, y = digits(90)
    scores = []
    for workers in (0, 2):
        curvature = Curvature(h=1e-2, n=1, power=1, seed=0)
        net = quick_net(max_epochs=3, iterator_valid__num_workers=workers)
        train(net, as_samples(Items(zip(torch.tensor(X), y, strict=True))), [curvature], every=1)
        scores.append(curvature.scores())
    assert (scores[0] == scores[1]).all()
    assert scores[0].std() > 0
