"""Fitted detectors and their nets in files of other packages."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvdetect import LeaveOneOutDetector, LossDetector, load, memorizing_net, save
from tests.cases import digits_net, noisy_digits

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, LABELS, _, _ = noisy_digits(200)


def trained(**options):
    return LossDetector(digits_net(max_epochs=3, **options), q=20, device="cpu", random_state=0).fit(X, LABELS)


@pytest.mark.meets("joblib")
def test_joblib_keeps_a_fitted_detector(tmp_path):
    """`joblib.dump` with compression and `load` keep scores, flags, suggestions and how rows are recognised."""
    joblib = pytest.importorskip("joblib")
    detector = trained()
    joblib.dump(detector, tmp_path / "detector.joblib", compress=3)
    loaded = joblib.load(tmp_path / "detector.joblib")
    assert np.array_equal(loaded.score_samples(X[::-1]), detector.scores_[::-1])
    assert loaded.ranking().equals(detector.ranking())


@pytest.mark.meets("skops")
def test_skops_keeps_a_detector_that_trains_nothing(tmp_path):
    """`skops.io` keeps a `LeaveOneOutDetector`, whose own types have to be trusted; scores and rows come back.

    It can't keep torch's tensors, so not a detector with a trained net: `save` and `load` of curvdetect do, and run no
    code either.
    """
    sio = pytest.importorskip("skops.io")
    detector = LeaveOneOutDetector(q=20, device="cpu", random_state=0).fit(X, LABELS)
    content = sio.dumps(detector)
    types = sio.get_untrusted_types(data=content)
    assert types
    assert all(name.startswith("curvdetect.") for name in types)
    loaded = sio.loads(content, trusted=types)
    assert np.array_equal(loaded.score_samples(X[::-1]), detector.scores_[::-1])
    assert loaded.ranking().equals(detector.ranking())
    detector = trained()
    with pytest.raises(RuntimeError, match="TensorBase"):
        sio.dumps(detector)
    save(detector, tmp_path / "saved")
    assert np.array_equal(load(tmp_path / "saved").scores_, detector.scores_)


@pytest.mark.meets("onnx", "onnxruntime", "onnxscript")
def test_an_exported_net_gives_the_same_logits(tmp_path):
    """`torch.onnx.export` of `net_.module_`: onnxruntime gives the net's logits for any number of rows.

    Its columns are those of `classes_`.
    """
    runtime = pytest.importorskip("onnxruntime")
    detector = trained()
    module = detector.net_.module_.eval()
    program = torch.onnx.export(
        module, (torch.from_numpy(X[:2]),), dynamic_shapes=({0: torch.export.Dim("n")},), dynamo=True, verbose=False
    )
    program.save(tmp_path / "net.onnx")
    session = runtime.InferenceSession(tmp_path / "net.onnx")
    (logits,) = session.run(None, {session.get_inputs()[0].name: X})
    np.testing.assert_allclose(logits, detector.net_.forward(X).numpy(), atol=1e-4)
    assert np.array_equal(detector.classes_[logits.argmax(1)], detector.classes_[detector.net_.predict(X)])


@pytest.mark.meets("torch", outside=True)
def test_a_compiled_net_gives_the_same_scores():
    """A skorch net with `compile=True`, and a module of `torch.compile`, get the scores of the same net as it is."""
    expected = trained().scores_
    backend = "aot_eager"  # the tracing and the gradients of torch.compile, without a compiler of C++
    assert np.allclose(trained(compile=True, compile__backend=backend).scores_, expected, rtol=1e-3, atol=1e-3)
    module = torch.compile(digits_net().module, backend=backend)
    net = memorizing_net(module, batch_size=32, max_epochs=3)
    found = LossDetector(net, q=20, device="cpu", random_state=0).fit(X, LABELS)
    assert np.allclose(found.scores_, expected, rtol=1e-3, atol=1e-3)
