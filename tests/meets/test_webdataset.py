"""Shards of webdataset as their users read them, beside how curvdetect reads them."""

from __future__ import annotations

import pytest

from curvdetect import LeaveOneOutDetector, read_data
from tests.files.planted import planted

pytestmark = pytest.mark.meets("webdataset")
wds = pytest.importorskip("webdataset")


@pytest.fixture
def shard(tmp_path):
    pictures, labels, _ = planted()
    with wds.TarWriter(str(tmp_path / "t.tar")) as file:
        for i, (picture, code) in enumerate(zip(pictures, labels, strict=True)):
            file.write({"__key__": f"{i:02}", "png": picture, "cls": code})
    return tmp_path / "t.tar"


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of webdataset's own
def test_a_stream_is_refused_and_its_lists_are_ranked_as_the_shard(shard):
    """A stream is refused; its pictures and labels as lists, and `read_data` of the shard, name the planted samples."""
    _, _, wrong = planted()
    stream = wds.WebDataset(str(shard), shardshuffle=False).decode("pil").to_tuple("__key__", "png", "cls")
    for one in (stream, wds.WebLoader(stream, batch_size=None)):
        with pytest.raises(TypeError, match=r"IterableDataset, whose samples have no index.*pass a map-style"):
            LeaveOneOutDetector(device="cpu").fit(one)
    keys, pictures, labels = map(list, zip(*stream, strict=True))
    ranking = LeaveOneOutDetector(device="cpu", random_state=0).fit(pictures, labels).ranking(4)
    assert sorted(int(keys[i]) for i in ranking["index"]) == wrong
    data = read_data(shard, size=8)
    assert data.y.tolist() == labels
    again = LeaveOneOutDetector(device="cpu", random_state=0).fit(data.X, data.y).ranking(4)
    assert sorted(data.paths[i] for i in again["index"]) == [f"t.tar:{i:02}" for i in wrong]
