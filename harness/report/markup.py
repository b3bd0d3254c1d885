"""Makes HTML and SVG elements as text. Everything that comes from a run is escaped here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

Markup = str  # what may go into a page as it stands; anything else goes through `text`


def text(value: object) -> Markup:
    """Return any value as text of a page."""
    return escape(str(value), quote=True)


def tag(name: str, *inner: Markup, **attributes: object) -> Markup:
    """Return an element; attributes with `_` for `-` (a leading one is cut: `_class`), None leaves an attribute out."""
    told = "".join(
        f' {key.lstrip("_").replace("_", "-")}="{text(value)}"'
        for key, value in attributes.items()
        if value is not None
    )  # fmt: skip
    return f"<{name}{told}>{''.join(inner)}</{name}>"


def table(
    caption: str, header: Sequence[str], lines: Sequence[Sequence[str]], *, name: str = "", prose: bool = False
) -> Markup:
    """Return a table with a caption; the first cell of a line is its heading, numbers stand to the right, `prose` to
    the left.

    It may be wider than the page: the box around it scrolls, by keyboard too.
    """
    head = tag("tr", *(tag("th", text(h), scope="col", _class="left" if prose else None) for h in header))
    body = [
        tag(
            "tr",
            tag("th", text(line[0]), scope="row"),
            *(tag("td", text(c), _class="left" if prose else None) for c in line[1:]),
        )
        for line in lines
    ]
    whole = tag("table", tag("caption", text(caption)), tag("thead", head), tag("tbody", *body))
    return tag("div", whole, _class="wide", tabindex="0", role="region", aria_label=caption, id=name or None)


def figure(svg: Markup, caption: str) -> Markup:
    """Return a figure with its caption."""
    return tag("figure", tag("div", svg, _class="wide", tabindex="0", role="region", aria_label=caption),
               tag("figcaption", text(caption)))  # fmt: skip
