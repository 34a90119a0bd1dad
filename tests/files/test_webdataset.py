"""Shards as webdataset writes them, read and corrected."""

from __future__ import annotations

import gzip
import io
import tarfile

import numpy as np
import pytest

from curvdetect import read_data
from curvdetect.files.labelled import Asked
from curvdetect.files.registry import opened
from tests.cli.conftest import write_verdicts
from tests.files.planted import NAMES, corrected, encoded, found, planted

wds = pytest.importorskip("webdataset")


def samples(n: int = 60, **entries):
    """Return samples as a writer takes them; further entries are functions of the name of the label."""
    pictures, labels, _ = planted()
    entries = entries or {"cls": str.encode}
    for i, (picture, code) in enumerate(zip(pictures[:n], labels[:n], strict=True)):
        made = {kind: made(NAMES[code]) for kind, made in entries.items()}
        yield {"__key__": f"a/{i:03}", "png": encoded(picture), "txt": "a caption", **made}


def write_tar(path, written, **settings):
    with wds.TarWriter(str(path), **settings) as file:
        for sample in written:
            file.write(sample)
    return path


def members(path):
    """Return names of members with all that their headers say but sizes, and their contents."""
    fields = ("mode", "uid", "gid", "mtime", "type", "linkname", "uname", "gname", "pax_headers")
    with tarfile.open(path) as file:
        return {
            info.name: (*(getattr(info, name) for name in fields), file.extractfile(info).read())
            for info in file.getmembers()
        }


def as_json(name):
    return b'{ "caption": "x", "label":"%b",  "more": {"label": [1]} }\n' % name.encode()


@pytest.mark.meets("webdataset")
@pytest.mark.parametrize("tar", ["USTAR_FORMAT", "PAX_FORMAT", "GNU_FORMAT"])
@pytest.mark.parametrize("entries", [{"cls": str.encode}, {"json": as_json}], ids=["cls", "json"])
def test_from_a_file_to_a_ranking_and_back_into_a_file(tmp_path, entries, tar):
    """Shards that `TarWriter` wrote are ranked and corrected, and webdataset reads the corrected shard."""
    pictures, labels, wrong = planted()
    path = write_tar(tmp_path / "t.tar", samples(**entries), mtime=1234.5, format=tar)
    data = read_data(path, size=8)
    assert data.y.tolist() == [NAMES[code] for code in labels]
    assert (data.paths[:2], data.rows, data.skipped) == (["t.tar:a/000", "t.tar:a/001"], None, {})
    assert data.label == ("cls" if "cls" in entries else "label")
    assert np.array_equal(data.X[7], np.asarray(pictures[7]).transpose(2, 0, 1))
    if tar == "USTAR_FORMAT":
        assert found(data) == wrong
    opened(path, Asked()).write(tmp_path / "new.tar", corrected(data, wrong))
    (kind,), wanted = entries, members(path)
    for i in wrong:
        name = f"a/{i:03}.{kind}"
        wanted[name] = (*wanted[name][:-1], entries[kind](corrected(data, wrong)[i]))
    assert members(tmp_path / "new.tar") == wanted
    before, after = path.read_bytes(), (tmp_path / "new.tar").read_bytes()
    assert len(after) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) < 20 * len(wrong)
    loaded = list(wds.WebDataset(str(tmp_path / "new.tar"), shardshuffle=False))
    assert [sample["__key__"] for sample in loaded] == [f"a/{i:03}" for i in range(60)]


def test_a_label_may_become_longer_than_its_place(tmp_path):
    labels = [b"cat", b"d" * 700, b" \n", b"cat\n", b"d" * 700, b"\xff"]
    path = write_tar(tmp_path / "t.tar", ({**row, "cls": one} for row, one in zip(samples(6), labels, strict=True)))
    data = read_data(path, size=8)
    assert data.y.tolist() == ["cat", "d" * 700] * 2
    assert list(data.skipped.values()) == ["an empty label", "a label that is no UTF-8 text"]
    opened(path, Asked()).write(tmp_path / "new.tar", data.y[::-1])
    contents = [content for name, (*_, content) in members(tmp_path / "new.tar").items() if name.endswith("cls")]
    assert contents == [b"d" * 700, b"cat", b" \n", b"d" * 700, b"cat", b"\xff"]
    old, new = (
        [(name, what) for name, what in members(one).items() if not name.endswith("cls")]
        for one in (path, tmp_path / "new.tar")
    )
    assert old == new


@pytest.fixture
def shards(tmp_path):
    """A folder of three shards for training, and one for validation, with numbers as labels."""
    root = tmp_path / "shards"
    root.mkdir()
    rows = list(samples(28, cls=lambda name: str(NAMES.index(name)).encode()))
    with wds.ShardWriter(str(root / "train-%06d.tar"), maxcount=8, verbose=0) as file:
        for sample in rows[:24]:
            file.write(sample)
    write_tar(root / "val-000000.tar", rows[24:])
    return root


def test_shards_are_read_together_by_splits_and_by_braces(run, tmp_path, shards):
    data = read_data(shards, size=4, split="all")
    assert data.y.dtype.kind == "i"
    assert data.paths == [f"{'val-000000' if i > 23 else f'train-00000{i // 8}'}.tar:a/{i:03}" for i in range(28)]
    some = read_data(shards / "train-{000001..000002}.tar", size=4)
    assert some.paths == data.paths[8:24]
    assert read_data(shards / "{train,val}-000000.tar", size=4, split="all").paths == data.paths[:8] + data.paths[24:]
    assert read_data(shards, size=4, split="val").paths == data.paths[24:]
    place, new = 17, tmp_path / "new"
    other = (data.y[place] + 1) % 3
    verdicts = write_verdicts(tmp_path / "v.csv", [9, data.paths[place], data.y[place], "", "wrong", other])
    result = run("apply", verdicts, "--to", shards / "train-{000001..000002}.tar", "--out", new)
    assert result.stdout == f"{new}: 1 of 16 labels changed\n", result.stderr
    after = {path.name: path for path in new.iterdir()}
    assert after.keys() == {"train-000001.tar", "train-000002.tar"}
    assert after["train-000001.tar"].read_bytes() == (shards / "train-000001.tar").read_bytes()
    assert members(after["train-000002.tar"])[f"a/{place:03}.cls"][-1] == str(other).encode()
    opened(shards, Asked(split="val")).write(tmp_path / "all", data.y[24:])
    assert {path.name: path.read_bytes() for path in (tmp_path / "all").iterdir()} == {
        path.name: path.read_bytes() for path in shards.iterdir()
    }


def test_a_scan_by_braces_is_reported_again(run, tmp_path, shards):
    name = shards / "train-{000000..000002}.tar"
    scan = run("scan", name, "--out", tmp_path / "found", "--detector", "leave-one-out", "--size", 8, "--limit", 12)
    assert scan.exit_code == 0, scan.stderr
    assert "train-00000" in scan.stdout
    assert run("report", tmp_path / "found", "--k", 2).exit_code == 0


def test_what_is_no_whole_sample_is_named_and_kept(tmp_path, shards):
    path = shards / "val-000000.tar"
    path.unlink()
    rows = list(samples(4))
    del rows[0]["png"], rows[1]["cls"]
    rows[2]["png"] = b"no picture"
    with tarfile.open(path, "w") as file:
        for row in rows:
            for kind, content in row.items():
                content = content.encode() if isinstance(content, str) else content
                info = tarfile.TarInfo(f"{row['__key__']}.{kind}")
                info.size = len(content)
                file.addfile(info, io.BytesIO(content)) if kind != "__key__" else None
        for name, content in {"../../=x\x1b.png": rows[3]["png"], "../../=x\x1b.cls": b"=cmd"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
        for name, kind in {"../a/009.png": tarfile.SYMTYPE, "a": tarfile.DIRTYPE}.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
        file.addfile(tarfile.TarInfo("README"))
    data = read_data(path, size=4)
    assert data.paths == ["val-000000.tar:a/003", "val-000000.tar:../../=x\x1b"]
    assert sorted(tmp_path.iterdir()) == [shards]
    whys = {name.rpartition("/")[2]: why for name, why in data.skipped.items()}
    assert whys.keys() == {"000", "001", "002", "009.png", "val-000000.tar:README"}
    assert (whys["000"], whys["001"]) == ("no picture", "no .cls")
    assert whys["002"].startswith("UnidentifiedImageError")


@pytest.mark.parametrize("n_whole", [0, 3])
def test_of_entries_that_lie_apart_it_is_said_how_they_come_together(tmp_path, n_whole):
    path, entries = tmp_path / "t.tar", {"png": [f"{i}" for i in range(5)], "cls": [f"{i}" for i in range(5)]}
    write_tar(path, samples(n_whole))
    with tarfile.open(path, "a") as file:
        for kind, keys in entries.items():
            for key in keys:
                file.addfile(tarfile.TarInfo(f"{key}.{kind}"))
    if n_whole:
        assert read_data(path, size=4).skipped["t.tar:4"].startswith("no picture next to it: tar --sort=name")
    else:
        refuse(path, "no sample with a picture and a label; 't.tar:0': no .* next to it: tar --sort=name")


@pytest.mark.parametrize("cut", [0.5, 0.9])
def test_of_a_torn_shard_what_is_whole_is_read(tmp_path, shards, cut):
    whole = read_data(shards, size=4, split="all")
    torn = shards / "train-000002.tar"
    torn.write_bytes(torn.read_bytes()[: int(cut * torn.stat().st_size)])
    data = read_data(shards, size=4, split="all")
    assert 20 <= len(data.y) < 28
    assert set(data.paths) < set(whole.paths)
    assert any(name.startswith("train-000002.tar") for name in data.skipped)
    opened(shards, Asked(split="all")).write(tmp_path / "new", data.y)
    assert (tmp_path / "new" / torn.name).read_bytes() == torn.read_bytes()


def refuse(path, message, **arguments):
    with pytest.raises(ValueError, match=message) as error:
        read_data(path, **arguments)
    assert len(str(error.value)) <= 400


def test_what_is_refused_is_said_with_the_way_out(tmp_path, shards):
    path = tmp_path / "t.tar"
    write_tar(path, samples(2, **{"jpg": lambda name: b"", "mask.png": lambda name: b"", "cls": str.encode}))
    refuse(path, r"sample 'a/000' of '.*' has several: choose one of 'jpg', 'png'")
    assert opened(path, Asked()).names == ["t.tar:a/000", "t.tar:a/001"]  # which is all that a correction needs
    assert read_data(path, pictures="png").y.tolist() == ["cat", "dog"]
    written = iter([b"{", b'{"label": 1, "cls": 2, "kind": "x"}', b'{"kind": "x"}'])
    write_tar(path, samples(3, json=lambda name: next(written)))
    refuse(path, "several keys named like a label: 'label', 'cls'. Choose one of .*'kind'")
    refuse(path, r"no sample of '.*' has an entry \.size, or that key in \.json", label="size")
    assert read_data(path, label="kind").y.tolist() == ["x", "x"]
    assert read_data(path, label="txt").y.tolist() == ["a caption"] * 3
    write_tar(path, ({kind: what for kind, what in row.items() if kind != "cls"} for row in samples(2)))
    refuse(path, r"has no entry \.cls, and no key named like a label in \.json. Choose one of 'png', 'txt'")
    (tmp_path / "t.tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    refuse(tmp_path / "t.tar.gz", r"is compressed.*gunzip")
    (tmp_path / "t.tar.gz").rename(path)
    refuse(path, r"is compressed.*gunzip")
    path.write_bytes(b"")
    refuse(path, r"has no sample with a picture and a label; 't.tar': ReadError: empty file")
    refuse(shards, r"shards' has the parts 'train', 'val'\. Choose one of them, or all", split="dev")
    refuse(shards / "train-{000000..000003}.tar", "names '.*train-000003.tar', which is not there")
    refuse(shards / "train-{000000..900000000}.tar", "more than 1,000,000 files")
