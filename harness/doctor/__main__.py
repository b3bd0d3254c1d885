"""`python -m harness.doctor`: the way in is `harness/commands/doctor.py`."""

import sys

from harness.commands.doctor import main
from harness.host.cli import way_in

if __name__ == "__main__":
    sys.exit(way_in(main))
