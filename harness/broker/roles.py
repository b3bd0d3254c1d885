"""Says who talks over the broker, and what each may say: only the edge answers, only a device asks, the bench listens.

The mosquitto of the bench's own and the amqtt that stands in for it are both held to `RULES`; `acl_text` writes the
same rules as an `acl_file` for a broker that the lab runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["bench", "edge", "board"]
ROLES: tuple[Role, ...] = ("bench", "edge", "board")

# Users of the broker of the bench's own. All have one length: a board's is part of its AT commands.
USERS: Mapping[Role, str] = {"bench": "bench", "edge": "edges", "board": "board"}


@dataclass(frozen=True)
class Rules:
    """Holds the topic filters (MQTT 3.1.1, section 4.7) that a role may publish to and hear."""

    writes: tuple[str, ...]
    reads: tuple[str, ...]


RULES: Mapping[Role, Rules] = {
    "bench": Rules(writes=("agile/+/+/echo",), reads=("agile/#",)),
    "edge": Rules(writes=("agile/+/+/down", "agile/+/+/service", "agile/edges/+"), reads=("agile/+/+/up",)),
    "board": Rules(writes=("agile/+/+/up",), reads=("agile/+/+/down",)),
}


@dataclass(frozen=True)
class Account:
    """Holds a user of the broker with its password, which stays in memory."""

    user: str
    password: str = field(default="", repr=False)


def may(role: Role, action: Literal["publish", "subscribe", "receive"], topic: str) -> bool:
    """Tell whether a role may publish to a topic, hear it, or subscribe to a filter."""
    rules = RULES[role]
    return any(covers(allowed, topic) for allowed in (rules.writes if action == "publish" else rules.reads))


def covers(allowed: str, asked: str) -> bool:
    """Tell whether every topic that `asked` (a topic or a filter) stands for is one of `allowed`."""
    ours, theirs = allowed.split("/"), asked.split("/")
    for place, level in enumerate(ours):
        if level == "#":
            return True
        if place >= len(theirs) or theirs[place] == "#" or (level != "+" and level != theirs[place]):
            return False
    return len(ours) == len(theirs)


def acl_text(users: Mapping[Role, str]) -> str:
    """Return the rules as a mosquitto `acl_file` (mosquitto.conf(5)) for these users."""
    lines = []
    for role in ROLES:
        lines.append(f"user {users[role]}")
        lines += [f"topic write {topic}" for topic in RULES[role].writes]
        lines += [f"topic read {topic}" for topic in RULES[role].reads]
        lines.append("")
    return "\n".join(lines)
