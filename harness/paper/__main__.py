"""`python -m harness.paper`: the way in is `harness/commands/paper.py`."""

import sys

from harness.commands.paper import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
