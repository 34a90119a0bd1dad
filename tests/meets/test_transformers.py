"""Classifiers of transformers, made of a tiny configuration, as they are and behind peft's adapters."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from curvdetect import CurvatureNoiseDetector, LossDetector, corrupt_labels, memorizing_net
from curvdetect.metrics import auroc

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = 200
RNG = np.random.default_rng(0)
TRUE = np.arange(N) % 4
# half of the tokens are frequent in one class
TOKENS = np.hstack([RNG.integers(5, 15, (N, 6)) + 10 * TRUE[:, None], RNG.integers(5, 50, (N, 6))])
LABELS, MASK = corrupt_labels(TRUE, 0.1, random_state=0)


def classifier():
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    dropouts = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    config = transformers.BertConfig(vocab_size=60, num_labels=4, max_position_embeddings=16, **sizes, **dropouts)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return transformers.BertForSequenceClassification(config)


def fitted(module, lr=0.05, epochs=10):
    net = memorizing_net(module, batch_size=32, lr=lr, max_epochs=epochs)
    return LossDetector(net, device="cpu", random_state=0).fit(TOKENS, LABELS)


@pytest.mark.meets("transformers")
def test_a_classifier_of_token_numbers_ranks_planted_labels_first():
    """`BertForSequenceClassification` as `net` on token numbers: AUROC of its loss above 0.9.

    Token numbers have no gradient: `CurvatureNoiseDetector` refuses them, and names the detectors that take them.
    """
    assert auroc(MASK, fitted(classifier()).scores_) > 0.9
    with pytest.raises(ValueError, match=r"no gradient to its input.*LossDetector and MarginDetector need none"):
        CurvatureNoiseDetector(memorizing_net(classifier()), max_epochs=1, device="cpu").fit(TOKENS, LABELS)


@pytest.mark.meets("transformers", "datasets")
def test_a_tokenized_dataset_needs_the_name_of_one_input():
    """A tokenized dataset with `input_ids` beside `attention_mask` is refused; with one named `x` it is ranked."""
    pytest.importorskip("transformers")
    datasets = pytest.importorskip("datasets")
    columns = {"input_ids": TOKENS.tolist(), "attention_mask": np.ones_like(TOKENS).tolist(), "label": LABELS}
    dataset = datasets.Dataset.from_dict(columns).with_format("torch")
    net = memorizing_net(classifier(), batch_size=32, lr=0.05, max_epochs=10)
    detector = LossDetector(net, device="cpu", random_state=0)
    with pytest.raises(ValueError, match=r"can't be told which is the input.*X\.rename_column"):
        detector.fit(dataset)
    found = detector.fit(dataset.rename_column("input_ids", "x").select_columns(["x", "label"]))
    assert np.allclose(found.scores_, fitted(classifier()).scores_, rtol=1e-3, atol=1e-3)


@pytest.mark.meets("peft", "transformers")
def test_adapters_are_trained_and_what_they_adapt_is_not():
    """A LoRA model of peft as `net`: AUROC above 0.75; only adapters and the classifier changed, in a copy."""
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(
        task_type="SEQ_CLS", r=8, target_modules=["query", "value"], modules_to_save=["classifier"]
    )
    model = peft.get_peft_model(classifier(), config)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    detector = fitted(model, lr=0.3, epochs=20)
    assert auroc(MASK, detector.scores_) > 0.75
    after = detector.net_.module_.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any("lora" in name for name in changed)
    assert all("lora" in name or "classifier.modules_to_save" in name for name in changed)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
