"""Fitted detectors and pages that the tests of the report share."""

from __future__ import annotations

import json
import re

import numpy as np
import torch
from torch import nn

from curvdetect import LossDetector

#: Names that would run, turn, tear or hide something, were they more than text.
HOSTILE = [
    "<script>window.ran = 1</script>",
    "<img src=x onerror='window.ran = 1'>",
    "</script><script>window.ran = 1</script>",
    '"><svg onload=window.ran=1>',
    "' onfocus=window.ran=1 autofocus='",
    "{{data}} ${window.ran = 1} javascript:window.ran=1",
    "<!-- <script> ]]> &lt;b&gt; &amp;",
    "../../../etc/passwd",
    "C:\\temp\\new",
    "two\nlines\r\nand\ta tab",
    "‮gnp.exe‬ ⁦isolated",
    "قطة",
    "long " * 60,
    "x" * 300,
    "\ud83d alone \udc31",
    "null \x00 byte \x1b[31m",
    "line\u2028separator\u2029",
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "'quoted",
    "''=twice",
    "",
    " spaces ",
    'a, "b"; c',
]


def fitted(shape=(8, 8), n=60, classes=("cat", "dog", "fox"), **options):
    """Return a detector fitted in no time, its data and labels."""
    rng = np.random.default_rng(0)
    X = rng.random((n, *shape)).astype(np.float32)
    y = np.resize(np.array(classes), n)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Flatten(), nn.Linear(X[0].size, 6), nn.Tanh(), nn.Linear(6, len(classes)))
    options = {"max_epochs": 1, "stop_at": 0.01, "q": 12, "device": "cpu", "random_state": 0, **options}
    return LossDetector(net, **options).fit(X, y), X, y


def content_of(page):
    """Return what a page was told, as a browser would read it."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script', text, re.DOTALL)[1]
    return json.loads(found)
