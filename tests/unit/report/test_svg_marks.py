"""Every scheme that the figures draw has a mark on the page, too."""

from __future__ import annotations

from harness.host import registry
from harness.report import svg
from harness.show import style


def test_a_page_knows_the_mark_of_every_scheme() -> None:
    """A run of AgileNN-R had no page: its star was known to the figures alone."""
    for index, name in enumerate([*registry.scheme_names(), *(f"of_tomorrow_{i}" for i in range(20))]):
        drawn = style.line(name, index)
        assert 'd="M' in str(svg.shape(drawn.marker, drawn.colour, hollow=False))
