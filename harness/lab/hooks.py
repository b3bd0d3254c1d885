"""Runs the lab's own programs before and after a run, by `[hooks]` of lab.toml."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import Field

from harness.contracts.errors import BenchError
from harness.contracts.toml import Strict
from harness.device.boardlog import BoardLog
from harness.lab.programs import Argv, account, call
from testbeds.tools import Tools

log = logging.getLogger(__name__)


class HooksSection(Strict):
    """Holds `[hooks]`: what is called before a board is looked for, and when everything is given back."""

    before: Argv | None = None
    after: Argv | None = None
    timeout_s: float = Field(default=60.0, gt=0, le=3600)


@contextmanager
def around(section: HooksSection, testbed: str, folder: Path | None = None) -> Iterator[None]:
    """Call the hooks around the block; each is told the testbed and the run's folder by its environment
    (AGILENN_RUN_TESTBED, AGILENN_RUN_FOLDER, empty where there is none) and logged in `logs/lab.log` of the run.

    Raises:
        BenchError: a hook failed: the first one before the block, which is not entered then, and the second hook is not
            called; the second one after a block that went well. One that fails after a block that failed is a warning.
    """
    kept = BoardLog("lab", folder)
    tools = Tools(told=lambda run: kept.note("tool", account(run)))
    environment = {"AGILENN_RUN_TESTBED": testbed, "AGILENN_RUN_FOLDER": str(folder.absolute()) if folder else ""}

    def hook(argv: Argv | None, when: str) -> None:
        if argv is not None:
            call(tools, argv, f"the hook {when} the run", timeout_s=section.timeout_s, environment=environment)

    try:
        hook(section.before, "before")
        try:
            yield
        except BaseException:
            try:
                hook(section.after, "after")
            except BenchError as e:
                log.warning("%s", e)  # what ended the run is the news
            raise
        hook(section.after, "after")
    finally:
        kept.close()
