"""`python -m harness.report`: the way in is `harness/commands/report.py`."""

import sys

from harness.commands.report import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
