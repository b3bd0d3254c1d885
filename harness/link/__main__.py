"""`python -m harness.link`: the way in is `harness/commands/link.py`."""

import sys

from harness.commands.link import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
