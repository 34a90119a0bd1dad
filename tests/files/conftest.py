"""Running commands, as in the tests of the command line."""

from tests.cli.conftest import page as page
from tests.cli.conftest import run as run
