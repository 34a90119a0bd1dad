"""skorch's nets of accelerate, and its callbacks that log to MLflow and Weights and Biases, offline."""

from __future__ import annotations

import numpy as np
import pytest
from skorch import NeuralNetClassifier
from torch import nn

from curvdetect import LossDetector
from tests.cases import digits_net, noisy_digits, quick_net

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, _, _ = noisy_digits(200)


def fitted(net):
    return LossDetector(net, q=20, device="cpu", random_state=0).fit(X, LABELS)


@pytest.mark.meets("accelerate")
def test_a_net_of_accelerate_that_places_nothing_gets_the_same_scores():
    """skorch's `AccelerateMixin` with `Accelerator(device_placement=False)` gets the scores of the net without it.

    An accelerator that places tensors is refused, since curvdetect chooses the device.
    """
    accelerate = pytest.importorskip("accelerate")
    from skorch.hf import AccelerateMixin

    class Net(AccelerateMixin, NeuralNetClassifier):
        pass

    options = {"criterion": nn.CrossEntropyLoss, "lr": 0.1, "batch_size": 32, "max_epochs": 3, "verbose": 0}
    module = quick_net().module
    expected = fitted(NeuralNetClassifier(module, **options)).scores_
    quiet = accelerate.Accelerator(cpu=True, device_placement=False)
    assert np.allclose(fitted(Net(module, accelerator=quiet, **options)).scores_, expected, rtol=1e-4)
    with pytest.raises(
        ValueError, match=r"pass the same net without it, or with Accelerator\(device_placement=False\)"
    ):
        fitted(Net(module, accelerator=accelerate.Accelerator(cpu=True), **options))


@pytest.mark.meets("mlflow")
def test_a_run_of_mlflow_has_the_losses_of_the_training(tmp_path, monkeypatch):
    """skorch's `MlflowLogger` in the net: the run has the training loss of each epoch, and a ranking beside it."""
    mlflow = pytest.importorskip("mlflow")
    from skorch.callbacks import MlflowLogger

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'runs.db'}")
    mlflow.set_experiment(experiment_id=mlflow.create_experiment("labels", (tmp_path / "artifacts").as_uri()))
    with mlflow.start_run() as run:
        detector = fitted(digits_net(max_epochs=3, callbacks=[MlflowLogger()]))
        mlflow.log_table(detector.ranking(5), "suspects.json")
    logged = mlflow.MlflowClient().get_metric_history(run.info.run_id, "train_loss")
    assert [one.value for one in logged] == pytest.approx(detector.net_.history[:, "train_loss"])
    table = mlflow.load_table("suspects.json", run_ids=[run.info.run_id])
    assert table["index"].tolist() == detector.ranking(5)["index"].tolist()


@pytest.mark.meets("wandb")
def test_an_offline_run_of_weights_and_biases_has_the_losses(tmp_path):
    """skorch's `WandbLogger(run, save_model=False)` in the net: the offline run ends with the last training loss.

    Its default keeps the best model by held-out data. Nothing is held out here, so it is refused with a way out.
    """
    wandb = pytest.importorskip("wandb")
    from skorch.callbacks import WandbLogger

    run = wandb.init(project="labels", dir=tmp_path, mode="offline", settings=wandb.Settings(silent=True))
    detector = fitted(digits_net(max_epochs=3, callbacks=[WandbLogger(run, save_model=False)]))
    logged = dict(run.summary)["train_loss"]
    run.log({"suspects": wandb.Table(dataframe=detector.ranking(5))})
    with pytest.raises(ValueError, match=r"asks for what only held-out data has.*save_model=False"):
        fitted(digits_net(max_epochs=3, callbacks=[WandbLogger(run)]))
    run.finish()
    assert logged == pytest.approx(detector.net_.history[-1, "train_loss"])
