"""`python -m harness.sweep`: the way in is `harness/commands/sweep.py`."""

import sys

from harness.commands.sweep import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
