"""Makes the wire of the user-space link: two namespaces whose only way to each other leads through our two raw sockets.

    device side            middle                            edge side
    [dev 198.18.0.1] ----- [m-dev]  AF_PACKET  [m-edge] ----- [edge 198.18.0.2]

198.18.0.0/15 is for tests of links (RFC 2544). Neighbours are set by hand: no ARP passes, none is charged.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from harness.contracts.errors import BenchError
from harness.link import offloads
from harness.link.commands import Commands
from harness.link.detour.namespaces import NetNamespace

DEVICE, EDGE = "198.18.0.1", "198.18.0.2"
_IPV4: Final = 0x0800  # EtherType
_PACKET_IGNORE_OUTGOING: Final = 23  # linux/if_packet.h
_SOL_PACKET: Final = 263
_BUFFER = 8 << 20
_SIDES = (("dev", DEVICE, EDGE), ("edge", EDGE, DEVICE))


class Wire:
    """Holds namespaces, devices and raw sockets, up. Raises BenchError when one of them can't be made."""

    def __init__(self) -> None:
        self.commands = Commands()
        self.device, self.edge, middle = NetNamespace("device"), NetNamespace("edge"), NetNamespace("middle")
        middle.run(self._pairs)
        self._addresses = {name: ns.run(lambda n=name: self._address(n)) for name, ns in self._sides()}  # type: ignore[misc]
        for name, ns in self._sides():
            ns.run(lambda n=name: self._side(n))  # type: ignore[misc]
        self.up = middle.run(lambda: _raw("m-dev"))  # what the device sends comes in here
        self.down = middle.run(lambda: _raw("m-edge"))

    def _sides(self) -> tuple[tuple[str, NetNamespace], tuple[str, NetNamespace]]:
        return ("dev", self.device), ("edge", self.edge)

    def _pairs(self) -> None:
        for name, ns in self._sides():
            # A device is made inside its namespace: what gets moved there is renamed by some systems' udev.
            self.commands.do("ip", "link", "add", "name", f"m-{name}", "type", "veth", "peer", "name", name, "netns",
                             str(ns.tid))  # fmt: skip
            self.commands.do("ip", "link", "set", "dev", f"m-{name}", "addrgenmode", "none", "up")

    def _address(self, name: str) -> str:
        found = self.commands.ask("ip", "-j", "link", "show", "dev", name)
        return str(found[0]["address"])

    def _side(self, name: str) -> None:
        own, other = next((own, other) for n, own, other in _SIDES if n == name)
        neighbour = self._addresses["edge" if name == "dev" else "dev"]
        # One packet a segment, with its checksum: what crosses is what a radio would carry.
        for what in ("tx", "tso", "gso", "gro"):
            offloads.write(name, what, False)
        do = self.commands.do
        do("ip", "link", "set", "dev", name, "addrgenmode", "none", "gso_max_segs", "1", "up")
        do("ip", "link", "set", "dev", "lo", "up")
        do("ip", "address", "add", f"{own}/30", "dev", name)
        do("ip", "neighbour", "replace", other, "lladdr", neighbour, "nud", "permanent", "dev", name)


def _raw(interface: str) -> socket.socket:
    try:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_IPV4))
    except OSError as e:
        raise BenchError(
            f"no raw socket can be made ({e.strerror})", cure='run as root, or set kind = "proxy" in [link]'
        ) from e
    with contextlib.suppress(OSError):  # kernels before 4.20: _Way drops what it sees go out
        made.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
    made.bind((interface, _IPV4))
    made.setblocking(False)
    return made
