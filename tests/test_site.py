"""What the site makes of the pages; ``sphinx-build`` checks that it builds without a warning."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import curvdetect

pytest.importorskip("sphinx")
DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture
def extension(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS / "extensions"))
    yield __import__
    for name in ("public_names", "repository_files", "mathml"):
        sys.modules.pop(name, None)


def test_a_page_lists_what_the_package_wrote_and_not_what_scikit_learn_adds(extension):
    members = extension("public_names").members(curvdetect.CurvatureNoiseDetector)
    assert {"fit", "score_samples", "ranking", "paper"} <= members.keys()
    assert not {"get_params", "set_params", "set_score_request", "_score"} & members.keys()
    assert extension("public_names").members(curvdetect.DetectionCurveDisplay)["roc_auc"] == "autoproperty"


def test_methods_that_are_there_after_a_refit_only_are_listed(extension):
    assert "score_samples" in extension("public_names").members(curvdetect.CurvatureSearch)


def test_names_are_in_the_order_of_the_page(extension):
    text = "`save` and `load`, `no_name`, `save`, load"
    assert extension("public_names").named(text) == ["save", "load"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[a](../benchmarks/results/t.md)", "[a](path:../benchmarks/results/t.md)"),
        ("[`a/b`](../a/b.md)", "[`a/b`](path:../a/b.md)"),
        ("![a](../benchmarks/p.png)", "![a](../benchmarks/p.png)"),
        ("[a](guide.md#x)", "[a](guide.md#x)"),
        ("[a](examples/)", "[a](auto_examples/index.rst)"),
        ("[a](examples/plot_1_digits.py)", "[a](auto_examples/plot_1_digits.rst)"),
    ],
)
def test_links_to_what_is_no_page_lead_somewhere(extension, before, after):
    assert extension("repository_files").led(before) == after


@pytest.mark.parametrize("formula", [r"v_1, \ldots, v_n", r"\lVert \nabla_x L_t(x + h v_i) \rVert_2^{\,p}"])
def test_formulas_need_nothing_but_the_browser(extension, formula):
    docutils = pytest.importorskip("docutils.nodes")
    writer = type("Writer", (), {"body": []})()
    with pytest.raises(docutils.SkipNode):
        extension("mathml").inline(writer, docutils.math("", formula))
    assert writer.body[0].startswith("<math")
