"""Draws what device, link and edge did when, in one inference: a lane each, the median sample of a scheme."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.markup import Markup, tag, text
from harness.report.svg import WIDTH, Scale, ticks

LANES = ("device", "link", "edge")
_COLOURS = {"device": "#0072B2", "module": "#56B4E9", "link": "#D55E00", "edge": "#009E73"}
_LANE_HEIGHT, _LEFT, _RIGHT = 26, 64, 24


@dataclass(frozen=True)
class Span:
    """Holds one stretch of time of one party."""

    lane: str
    kind: str  # a key of the colours
    name: str
    start_ms: float
    length_ms: float


def spans(row: Mapping[str, Any]) -> list[Span]:
    """Return the stretches of one sample, in order.

    Where the testbed tells the parts of `network_ms`, each stands in its place; the rest of it (the dialogue with the
    module and the module's processing) stands before the packet leaves. Where it does not (a real board), the waiting
    is one stretch and the edge's share of it is drawn in its middle, as its true place is not known.
    """
    found: list[Span] = []
    now = 0.0

    def add(lane: str, kind: str, name: str, length_ms: float) -> None:
        nonlocal now
        if length_ms > 0:
            found.append(Span(lane, kind, name, now, length_ms))
            now += length_ms

    def known(name: str) -> float:
        return float(row.get(name) or 0.0)

    add("device", "device", "local network", known("local_ms"))
    add("device", "device", "quantise and encode", known("encode_ms"))
    network, remote = known("network_ms"), known("remote_ms")
    parts = [known(n) for n in ("serial_up_ms", "link_up_ms", "link_down_ms", "serial_down_ms")]
    if network > 0 and row.get("link_up_ms") is not None:
        add("device", "module", "serial line to the module", parts[0])
        add("device", "module", "module and its dialogue", max(0.0, network - sum(parts)))
        add("link", "link", "link up", parts[1])
        add("edge", "edge", "remote network", remote)
        add("link", "link", "link down", parts[2])
        add("device", "module", "serial line from the module", parts[3])
    elif network > 0:
        found.append(Span("link", "link", "network, both ways, and waiting", now, network + remote))
        found.append(
            Span("edge", "edge", "remote network (its place within the waiting is not told)", now + network / 2, remote)
        )
        now += network + remote
    add("device", "device", "combine", known("combine_ms"))
    return found


def typical(rows: Sequence[Mapping[str, Any]], scheme: str, column: str, value: float) -> Mapping[str, Any] | None:
    """Return the measured sample of a scheme at a value of the axis whose latency is the (lower) median: of those that
    were sent, where pictures exit early and some were sent.
    """
    own = [
        r
        for r in rows
        if r["scheme"] == scheme and not r["warmup"] and r["status"] == "ok" and r.get(column) == value
    ]  # fmt: skip
    own = [r for r in own if not r.get("exited")] or own
    own.sort(key=lambda r: (float(r["total_ms"]), int(r["image"])))
    return own[(len(own) - 1) // 2] if own else None


def key() -> Markup:
    """Say what the colours mean."""
    names = {
        "device": "computing on the device",
        "module": "serial line and Wi-Fi module",
        "link": "link",
        "edge": "edge",
    }
    items = [
        tag("li", tag("svg", tag("rect", width=16, height=16, fill=_COLOURS[kind]), viewBox="0 0 16 16", width=16,
                      height=16, aria_hidden="true", _class="icon"), text(name))
        for kind, name in names.items()
    ]  # fmt: skip
    return tag("ul", *items, _class="legend")


def draw(title: str, row: Mapping[str, Any], longest_ms: float, name: str) -> Markup:
    """Draw the lanes of one sample on a scale that ends at `longest_ms`."""
    height = _LANE_HEIGHT * len(LANES) + 42
    x = Scale(0.0, longest_ms, _LEFT, WIDTH - _RIGHT)
    told = spans(row)
    says = "; ".join(f"{s.name} {s.length_ms:.2f} ms from {s.start_ms:.2f}" for s in told)
    parts = [
        tag("title", text(f"{title}: {float(row['total_ms']):.2f} ms in all"), id=f"{name}-title"),
        tag("desc", text(says), id=f"{name}-desc"),
    ]
    for i, lane in enumerate(LANES):
        y = 8 + i * _LANE_HEIGHT
        parts.append(tag("text", text(lane), x=_LEFT - 8, y=y + 11, dy="0.35em", _class="tick", text_anchor="end"))
        parts.append(tag("line", x1=_LEFT, x2=WIDTH - _RIGHT, y1=y + 22, y2=y + 22, _class="grid"))
        for s in told:
            if s.lane != lane:
                continue
            label = f"{s.name}: {s.length_ms:.2f} ms"
            begin, width = x(s.start_ms), max(1.5, x(s.start_ms + s.length_ms) - x(s.start_ms))
            box = tag("rect", x=0, y=0, width=f"{width:.1f}", height=20, fill=_COLOURS[s.kind])
            anchor, dx = ("end", width) if begin > WIDTH * 0.55 else ("start", 0)
            tip = tag("text", text(label), _class="tip", x=f"{dx:.1f}", y=34, text_anchor=anchor)
            parts.append(tag("g", tag("title", text(label)), box, tip, _class="mark", tabindex="0", role="img",
                             aria_label=label, transform=f"translate({begin:.1f} {y})"))  # fmt: skip
    bottom = 8 + len(LANES) * _LANE_HEIGHT
    for value in ticks(x):
        at = f"{x(value):.1f}"
        parts.append(tag("text", text(f"{value:g}"), x=at, y=bottom + 14, _class="tick", text_anchor="middle"))
    parts.append(tag("text", text("ms"), x=WIDTH - 6, y=bottom + 14, _class="tick", text_anchor="end"))
    return tag("svg", *parts, viewBox=f"0 0 {WIDTH} {height}", role="group", width=WIDTH, height=height,
               aria_labelledby=f"{name}-title {name}-desc", xmlns="http://www.w3.org/2000/svg")  # fmt: skip
