"""Pieces of the paper's experiments; those that benchmarks need too come from benchmarks/harness."""

from pathlib import Path

__path__.append(str(Path(__file__).parents[2] / "benchmarks" / "harness"))
