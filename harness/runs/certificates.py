"""Keeps `certificates.json` of a run: what the link was at each of its points, as measured when it was set."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from pydantic import ValidationError

from harness.contracts import reading
from harness.contracts.errors import BenchError
from harness.contracts.link import Certificate
from harness.runs.store import Store

log = logging.getLogger(__name__)

NAME = "certificates.json"
_VERSION = 1


class Kept:
    """Collects certificates by point; the file is replaced as a whole whenever a new one comes. Any thread may
    use it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._points: dict[str, list[Certificate]] = read(store)

    def note(self, point_id: str, certificate: Certificate) -> None:
        """Note that a sample of this point was taken over this link. Raises BenchError when the file can't be
        written.
        """
        with self._lock:
            known = self._points.setdefault(point_id, [])
            if certificate in known:
                return
            known.append(certificate)
            told = {point: [c.model_dump(mode="json") for c in found] for point, found in self._points.items()}
            self._store.write_text(NAME, json.dumps({"version": _VERSION, "points": told}, indent=1) + "\n")


def read(store: Store) -> dict[str, list[Certificate]]:
    """Return the certificates by point id; empty for a run without, or with a file that is damaged (the samples stand
    by themselves).
    """
    path = store.folder / NAME
    try:
        said: dict[str, Any] = reading.json_of(path, "taken anew")
        return {
            str(point): [Certificate.model_validate(one) for one in found] for point, found in said["points"].items()
        }
    except (BenchError, ValueError, KeyError, TypeError, AttributeError, ValidationError) as e:
        if not path.exists():
            return {}
        log.warning("%s can't be read (%s): its certificates are taken anew", path, type(e).__name__)
        return {}


def summaries(store: Store) -> list[dict[str, Any]]:
    """Return a line a certificate, for the manifest; the whole of it stays in `certificates.json`."""
    return [
        {
            "point_id": point,
            "kind": one.kind,
            "rate_up_bps": one.asked.up.rate_bps,
            "rate_down_bps": one.asked.down.rate_bps,
            "delay_up_ms": one.asked.up.delay_ms,
            "delay_down_ms": one.asked.down.delay_ms,
            "probes": len(one.probes),
            "probes_right": sum(probe.ok for probe in one.probes),
            "tolerance": one.tolerance,
            "verdict": one.verdict,
            "remarks": one.remarks,
        }
        for point, found in sorted(read(store).items())
        for one in found
    ]
