"""``python -m curvdetect``, the same as ``curvdetect``."""

from curvdetect.cli import main

if __name__ == "__main__":
    main(prog_name="python -m curvdetect")
