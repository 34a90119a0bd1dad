"""The documentation says what the project does."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

import pytest

import curvdetect
import curvdetect.metrics
from tests.cases import digits

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.fixture
def tables(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    yield __import__("tables")
    sys.modules.pop("tables")


def test_tables_are_those_that_the_benchmarks_wrote(tables):
    assert tables.main(check=True) == 0


def test_a_typed_number_is_noticed(tables):
    page = (ROOT / "README.md").read_text()
    number = re.search(r"\d\d\.\d\d ±", page)[0]
    assert tables.filled(page.replace(number, "12.34 ±"), 0) == page


def test_a_page_chooses_rows_of_several_tables(tables):
    path = "benchmarks/results/{}/table.md"
    paths = f"{path.format('mnist-4000')} {path.format('digits')}"
    slot = '<!-- table {} "AUROC, %"\nnames: MNIST; digits\nrows: {}\ncolumns: 1 % wrong; cost\n-->\n<!-- end -->'
    lines = [line for line in tables.filled(slot.format(paths, "Margin (AUM)"), 1).splitlines() if line[0:1] == "|"]
    records = [(ROOT / path).read_text() for path in paths.split()]
    expected = [re.search(r"\| Margin \(AUM\) .*", record)[0].split("|") for record in records]
    assert len(lines) == 3
    assert [cell.strip() for cell in lines[2].split("|")[2:-1]] == [
        cells[i].strip() for cells in expected for i in (2, -2)
    ]
    assert lines[0] == "|  | MNIST, 1 % wrong | MNIST, cost | digits, 1 % wrong | digits, cost |"
    with pytest.raises(ValueError, match=r"no row .'Margin'."):
        tables.filled(slot.format(paths, "Margin"), 1)


def test_a_page_shows_two_measures_side_by_side(tables):
    paths = "benchmarks/results/mnist-4000/table.md benchmarks/results/digits/table.md"
    choice = "names: MNIST; digits\nrows: Margin (AUM) => AUM\ncolumns: {}"
    slot = f'<!-- table {paths} "AUROC, %" "Average precision, %"\n{choice}\n-->\n'
    lines = tables.filled(f"{slot.format('10 % wrong')}<!-- end -->", 1).splitlines()
    assert "10 % wrong." in lines
    head, _, row = (line.strip("| ").split(" | ") for line in lines if line[0:1] == "|")
    assert head[-4:] == [
        f"{name}, {what}, %" for name in ("MNIST", "digits") for what in ("AUROC", "Average precision")
    ]
    expected = [
        tables.cells(tables.section(path, heading))["Margin (AUM)"]["10 % wrong"]
        for path in paths.split()
        for heading in ("AUROC, %", "Average precision, %")
    ]
    assert row == ["AUM", *expected]
    wide = tables.filled(f"{slot.format('1 % wrong; 10 % wrong')}<!-- end -->", 1)
    assert (
        "| MNIST, AUROC, %, 1 % wrong | MNIST, AUROC, %, 10 % wrong | MNIST, Average precision, %, 1 % wrong |" in wide
    )


def test_a_row_is_named_by_two_cells_where_one_is_not_enough(tables):
    cells = tables.cells("| noise | wrong | fits |\n|---|---|---|\n| pair | 5.0 | 3 |\n| pair | 20.0 | 6 |")
    assert cells == {"pair, 5.0": {"fits": "3"}, "pair, 20.0": {"fits": "6"}}


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_inside_the_project_lead_somewhere(page):
    # from the page that shows it, a link of an included file leads elsewhere
    text = re.sub(r"```\{include\} (\S+)\n```", lambda it: (page.parent / it[1]).read_text(), page.read_text())
    targets = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", text)
    assert [t for t in targets if not (page.parent / t).exists()] == []


def test_every_example_of_the_gallery_is_in_the_guide():
    examples = [path.name for path in (ROOT / "docs" / "examples").glob("*.py")]
    guide = (ROOT / "docs" / "guide.md").read_text()
    assert [name for name in examples if f"(examples/{name})" not in guide or not name.startswith("plot_")] == []


def test_every_public_name_is_on_the_api_page():
    metrics = {
        name
        for name, thing in vars(curvdetect.metrics).items()
        if inspect.isfunction(thing) and thing.__module__ == "curvdetect.metrics" and not name.startswith(("_", "as_"))
    }
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs" / "api.md").read_text()))
    assert {*curvdetect.__all__, *metrics} - named == set()


def test_the_citation_and_the_changelog_name_this_version():
    citation = pytest.importorskip("yaml").safe_load((ROOT / "CITATION.cff").read_text())
    assert citation["cff-version"] == "1.2.0"
    assert citation["version"] == curvdetect.__version__
    assert f"\n## [{curvdetect.__version__}] - " in (ROOT / "CHANGELOG.md").read_text()


def test_every_public_name_documents_itself_with_an_example():
    without = [name for name in curvdetect.__all__ if ">>>" not in (getattr(curvdetect, name).__doc__ or "")]
    assert without == ["BaseNoiseDetector"]  # abstract: its subclasses have theirs


def test_the_lines_of_the_readme_run():
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert len(blocks) == 2
    X, y = digits(200)
    for block in blocks:
        names = {"X": X, "y": y}
        exec(block, names)
        assert names["scores"].shape == (200,)
        assert names["detector"].labels_.sum() == 10
