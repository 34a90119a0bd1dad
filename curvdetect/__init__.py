"""curvdetect: find wrong labels by watching a network memorize them.

Names are imported when they are first used: importing the package alone loads neither torch nor scikit-learn. They are
listed in ``__init__.pyi``.
"""

from importlib.metadata import version

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
for _room in ("data", "detectors", "features", "files", "metrics", "review", "signals", "training"):
    __all__.remove(_room)  # a module, which `from curvdetect import *` leaves out
__version__ = version("curvdetect")
