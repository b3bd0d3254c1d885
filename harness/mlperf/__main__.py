"""`python -m harness.mlperf`: the way in is `harness/commands/mlperf.py`."""

import sys

from harness.commands.mlperf import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
