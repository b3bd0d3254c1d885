"""`python -m harness.edge`: the way in is `harness/commands/edge.py`."""

import sys

from harness.commands.edge import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
