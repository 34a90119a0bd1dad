"""The command line: curvdetect scan, report, apply and compare."""

from curvdetect.cli.commands import main

__all__ = ["main"]
