"""The command line: curvdetect scan, compare, report and apply."""

from curvdetect.cli.group import main

__all__ = ["main"]
