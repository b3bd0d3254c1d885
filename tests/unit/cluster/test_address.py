"""What `--cluster` takes and refuses, each in one line."""

from __future__ import annotations

import pytest

from harness.cluster.address import Asked, asked
from harness.contracts.errors import BenchError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("none", None),
        ("local:1", Asked(local=1)),
        ("local:64", Asked(local=64)),
        ("host:8786", Asked(address="tcp://host:8786")),
        ("tls://10.0.0.7:8786", Asked(address="tls://10.0.0.7:8786")),
        ("tcp://[fe80::1]:1", Asked(address="tcp://[fe80::1]:1")),
    ],
)
def test_workers_are_named_by_address_or_number(text: str, found: Asked | None) -> None:
    assert asked(text) == found


@pytest.mark.parametrize(
    "text",
    ["", "local:0", "local:65", "local:-1", "local:", "local:two", "local:٣", "host", "host:0", "host:70000",
     "http://host:80", "a b:1", "tcp://:1"],
)  # fmt: skip
def test_anything_else_is_one_line(text: str) -> None:
    with pytest.raises(BenchError) as error:
        asked(text)
    assert "\n" not in str(error.value)
    assert error.value.cure
