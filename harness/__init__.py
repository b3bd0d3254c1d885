"""Orchestrates: what to run, in which order, on which testbed; what was measured; what it means.

`python -m harness COMMAND` and `python -m harness.COMMAND` are the same. The second finds `harness/commands/COMMAND.py`
because this package's search path has that folder too; a room of the same name (`harness/sweep/`) has a `__main__.py`.
"""

from pathlib import Path as _Path

__path__ = [*__path__, str(_Path(__file__).parent / "commands")]
