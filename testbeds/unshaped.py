"""Leaves a link that nothing here can shape as it is, and refuses a rate with what would shape it."""

from __future__ import annotations

from harness.contracts.errors import BenchError
from harness.contracts.link import Link, LinkSpec

WITHOUT = "run with --rate none"


class UnshapedLink(Link):
    """Leaves the link of the testbed `name` as it is; `cure` says what could shape it."""

    def __init__(self, name: str, cure: str = f"set [link] in lab.toml, or {WITHOUT}") -> None:
        self._refusal = BenchError(f"nothing here shapes the link of testbed {name}", cure=cure)

    @property
    def can_shape(self) -> bool:
        return False

    def check(self, spec: LinkSpec) -> None:
        raise self._refusal

    def apply(self, spec: LinkSpec) -> None:
        raise self._refusal

    def read_back(self) -> LinkSpec | None:
        return None

    def clear(self) -> None:
        pass
