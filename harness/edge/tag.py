"""Vouches for answers: a keyed tag over question, answer and service time, which only the edge and the bench can make.

The 16-byte header of an answer has no room for it, and a longer one would take longer on the very link that is
measured. So the tag travels in the edge's account, and the bench compares it with the answer that it saw going to the
device.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

KEY_VARIABLE = "AGILENN_EDGE_KEY"


def new_key() -> str:
    """Make a key for one run."""
    return secrets.token_hex(32)


def of(key: str, prefix: str, sequence: int, service_us: int, answer: bytes) -> str:
    """Return the tag of an answer, 32 hex digits: HMAC-SHA-256 (RFC 2104), cut to 128 bits.

    Args:
        prefix: the device's topics, as in `<prefix>/down`.
        service_us: the service time that the account tells.
        answer: the whole message.
    """
    said = b"\0".join([prefix.encode(), b"%d" % sequence, b"%d" % service_us, hashlib.sha256(answer).digest()])
    return hmac.new(key.encode(), said, hashlib.sha256).hexdigest()[:32]


def right(found: str, key: str, prefix: str, sequence: int, service_us: int, answer: bytes) -> bool:
    """Tell whether `found` is the tag of an answer."""
    return hmac.compare_digest(found.encode(), of(key, prefix, sequence, service_us, answer).encode())
