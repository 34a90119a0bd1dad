"""Pieces of the paper's experiments; those that benchmarks need too lie in benchmarks/harness and are imported alike."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[2] / "benchmarks" / "harness"))
