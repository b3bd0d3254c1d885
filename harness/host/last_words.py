"""Finds what a process that ended said last: its own error, not the chatter of the libraries around it."""

from __future__ import annotations

import re

# Lines that say nothing of why a process ended: the stamped logs of TensorFlow and absl, their explanations, Python's
# warnings with the source line that follows them.
_CHATTER = re.compile(
    r"^(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|[IWEF]\d{4} \d\d:\d\d"
    r"|WARNING: All log messages|To enable the following|(?:INFO|WARNING|DEBUG)\b|.*\b\w*Warning: )"
)
_ERROR = re.compile(r"^(?:[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b.*|[Ff]atal .*|.*: error: .*)$")
_OWN = "error: "


def of(text: str) -> str:
    """Return the line of `text` (a process's stderr) that tells best why it ended; "" when none does.

    In this order: the last `error: …` of a way in, the last line of a traceback or of a fatal error, the last line that
    is no chatter.
    """
    lines = [line.strip() for line in text.strip().splitlines()]
    own = [line.removeprefix(_OWN) for line in lines if line.startswith(_OWN)]
    errors = [line for line in lines if _ERROR.match(line) and not _CHATTER.match(line)]
    others = [line for line in lines if line and not _CHATTER.match(line)]
    return (own or errors or others or [""])[-1]
