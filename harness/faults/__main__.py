"""`python -m harness.faults`: the way in is `harness/commands/faults.py`."""

import sys

from harness.commands.faults import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
