"""Virtual link and real sockets on the emulated board. Minutes, and of wall-clock time: by hand."""

from __future__ import annotations

import pytest

from harness.doctor.agreement import Agreement, compare

pytestmark = pytest.mark.slow


@pytest.mark.soak
def test_virtual_link_and_real_sockets_agree(namespaces: None) -> None:
    """270 kbit/s to 20 Mbit/s, 100 B to 20 KB: within 1 ms + 5 %, what broker and loopback take taken off."""
    apart = [found for found in compare() if not found.ok]
    assert not apart


def test_what_agreement_is() -> None:
    found = Agreement(1e6, 100, 100.0, 107.0, 106.5, 1.5, 1.0, 9)
    assert (found.off_ms, found.off_least_ms, found.allowed_ms, found.ok) == (5.5, 5.5, 6.0, True)
    assert not Agreement(1e6, 100, 100.0, 107.0, 107.1, 1.5, 1.0, 9).ok
    assert not Agreement(1e6, 100, 100.0, 90.0, 90.0, 1.5, 1.0, 9).ok
