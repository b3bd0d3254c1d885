"""Defines `[broker]` of lab.toml: a given broker by its URL, or how the bench's own listens beyond loopback."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic.functional_validators import AfterValidator
from pydantic_core import PydanticCustomError

from harness.broker.roles import Account
from harness.contracts.toml import Strict
from harness.host.secret import LabPath, Secret

PLAIN_PORT, TLS_PORT = 1883, 8883


@dataclass(frozen=True)
class BrokerUrl:
    """Holds `mqtt://host:port` or `mqtts://host:port`, taken apart."""

    host: str
    port: int
    tls: bool


def broker_url(text: str) -> BrokerUrl:
    """Take a broker's URL apart.

    Raises:
        ValueError: it is none, or holds a user or password, or a path.
    """
    parts = urlsplit(text)
    if "@" in text:
        raise PydanticCustomError(
            "secret", "a broker's user and password do not belong in its URL: use the keys for them"
        )
    if parts.scheme not in ("mqtt", "mqtts") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ValueError("a broker is mqtt://HOST[:PORT] or mqtts://HOST[:PORT]")
    tls = parts.scheme == "mqtts"
    return BrokerUrl(parts.hostname, parts.port or (TLS_PORT if tls else PLAIN_PORT), tls)


def _checked(text: str) -> str:
    broker_url(text)
    return text


Url = Annotated[str, AfterValidator(_checked)]


class AccountSection(Strict):
    """Holds `[broker.edge]` or `[broker.board]`: an account of one role, which the broker can hold to its rules."""

    user: str = Field(min_length=1, max_length=64)
    password: Secret | None = None

    def read(self) -> Account:
        """Read the password from where it is kept. Raises BenchError where it is not to be had."""
        return Account(self.user, self.password.read() if self.password else "")


class BrokerSection(Strict):
    """Holds `[broker]`: a given one by `url`, or how to open the bench's own mosquitto beyond loopback by `listen`."""

    url: Url | None = None
    device_url: Url | None = None  # as boards reach it, where that differs (name, address or no TLS)
    user: str = Field(default="", max_length=64)  # of the bench itself, and of each role without an account of its own
    password: Secret | None = None
    edge: AccountSection | None = None
    board: AccountSection | None = None
    ca: LabPath | None = None  # PEM; left out: the certificates that this host trusts
    listen: str | None = None  # address of this host; boards that speak TLS use tls_port
    port: int = Field(default=PLAIN_PORT, ge=1, le=65_535)
    tls_port: int = Field(default=TLS_PORT, ge=1, le=65_535)
    certificate: LabPath | None = None
    key: LabPath | None = None
    plain: bool = True  # also a listener without TLS, for boards that can't

    @model_validator(mode="after")
    def _consistent(self) -> BrokerSection:
        if self.url and (self.listen or self.certificate or self.key):
            raise ValueError("either url (a given broker) or listen (the bench's own), not both")
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together")
        if self.certificate and not self.ca:
            raise ValueError("a certificate of your own needs ca: the file that edge and boards check it by")
        if self.listen and not self.plain and not self.certificate:
            raise ValueError("plain = false needs certificate and key")
        if self.password is not None and not self.user:
            raise ValueError("a password needs a user")
        return self

    @property
    def account(self) -> AccountSection | None:
        """Return the bench's own account; None where none is named."""
        return AccountSection(user=self.user, password=self.password) if self.user else None
