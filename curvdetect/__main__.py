"""``python -m curvdetect``, the same as ``curvdetect``."""

import atexit
import gc

from curvdetect.cli import main


def command(prog_name: str | None = None) -> None:
    """Run the command that this process is for; a search for garbage at its end would take long and find nothing."""
    atexit.register(gc.freeze)
    main(prog_name=prog_name)


if __name__ == "__main__":
    command("python -m curvdetect")
