"""Checks the accuracy of the whole test set by the host library, which is what the board computes on a sample.

Run it with `pytest --testbed X -m accuracy`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.artefacts import accuracy
from harness.hil.measuring import Hil
from harness.sweep import prepare

pytestmark = [pytest.mark.hil, pytest.mark.accuracy]


def test_the_board_answers_as_the_host_library_does(
    hil: Hil, hil_scheme: str, hil_property: Callable[[str, object], None]
) -> None:
    """Check local class and payload: where they are the same, the accuracy that the host library has is the board's."""
    artefact = hil.artefact(hil_scheme)
    library = prepare.library(artefact)
    found = accuracy.cached(artefact, library, hil.data) or accuracy.measured_apart(artefact, library, hil.data)
    assert found.n == len(hil.data)
    assert 0 < found.right <= found.n
    hil_property("accuracy", found.share)
    hil_property("accuracy_n", found.n)
    host = hil.host(hil_scheme)
    for image in hil.images:
        seen = hil.see(hil_scheme, image)
        _, local = host.run_local(hil.data.picture(image))
        assert seen.local_logits == local.tobytes()
        if seen.payload:
            assert seen.payload == host.message(int.from_bytes(seen.payload[2:4], "little"))
        else:
            assert seen.row["predicted"] == host.combine(local, None)[1]
