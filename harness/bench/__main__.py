"""`python -m harness.bench`: the way in is `harness/commands/bench.py`."""

import sys

from harness.commands.bench import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
