"""What the kinds of checks look at that need more than one line: the mappings below `dns`, `tls`, `sql`, ..."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, field_validator, model_validator

from forewatch.config.base import Duration, Model
from forewatch.config.cron import validate, zone_of
from forewatch.config.secrets import Secret

DNS_PORT = 53


class ProcessTarget(Model):
    """A process named by exactly one of its name, its pid file or the local port it listens on."""

    name: str | None = None
    pidfile: str | None = None
    port: int | None = Field(default=None, ge=1, le=65535)

    @model_validator(mode="after")
    def _one(self) -> ProcessTarget:
        if sum(value is not None for value in (self.name, self.pidfile, self.port)) != 1:
            raise ValueError("needs exactly one of name, pidfile, port")
        return self


class DnsTarget(Model):
    """A record that a name server is asked for."""

    name: str = Field(min_length=1)
    """Of type PTR, an address will do."""
    type: Literal["A", "AAAA", "CNAME", "MX", "TXT", "NS", "SRV", "PTR", "SOA", "CAA"] = "A"
    server: str | None = None
    """`ip` or `ip:port`; default: the ones this machine uses."""


class TlsTarget(Model):
    """A TLS server whose certificate is judged."""

    address: str
    """`host:port`"""
    server_name: str | None = None
    """The name that is asked for and must be in the certificate; default: the host."""
    ca: str | None = None
    """A PEM file of authorities to trust instead of this machine's."""


class SqlTarget(Model):
    """A query to a database, by its SQLAlchemy URL."""

    url: str | Secret
    query: str = Field(default="SELECT 1", min_length=1)


class SystemdTarget(Model):
    """A unit of systemd; with `user`, of this user's own instance."""

    unit: str
    user: bool = False
    restarts_per_hour: Annotated[int, Field(ge=1)] | None = 5
    """As often as systemd may not restart it within an hour; None: as often as it likes."""

    @field_validator("unit")
    @classmethod
    def _a_unit(cls, value: str) -> str:
        if not re.fullmatch(r"[\w:.@\\][\w:.@\\-]{0,254}", value, re.ASCII):
            raise ValueError(f"{value} is not a unit's name (try shop.service)")
        return value


class HeartbeatTarget(Model):
    """A job that must call `/ping/<token>`, every `period` or by `cron`; late by more than `grace`, it has failed."""

    token: str | Secret
    """A UUID."""
    period: Annotated[Duration, Field(ge=1)] | None = None
    cron: str | None = None
    zone: str = "UTC"
    grace: Annotated[Duration, Field(gt=0)] = 300.0
    early: Annotated[Duration, Field(ge=0)] = 60.0
    """With `cron`: how long before it is due a call counts as the one expected, of a job whose clock is ahead; at most
    half the time since the one before."""

    @field_validator("cron")
    @classmethod
    def _a_cron_expression(cls, value: str | None) -> str | None:
        if value is not None:
            validate(value)
        return value

    @field_validator("zone")
    @classmethod
    def _a_time_zone(cls, value: str) -> str:
        zone_of(value)
        return value

    @model_validator(mode="after")
    def _one_schedule(self) -> HeartbeatTarget:
        if (self.period is None) == (self.cron is None):
            raise ValueError("needs exactly one of period, cron")
        return self


def name_server(text: str) -> tuple[str, int]:
    """`10.0.0.53`, `10.0.0.53:5353`, `[fe80::1]:53` -> address and port. Raises ValueError."""
    host, port = text, str(DNS_PORT)
    if bracketed := re.fullmatch(r"\[([^]]*)\](?::(.*))?", text):
        host, port = bracketed[1], port if bracketed[2] is None else bracketed[2]
    elif text.count(":") == 1:
        host, _, port = text.partition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text} is not IP[:PORT]")
    return str(ipaddress.ip_address(host)), int(port)


def is_token(text: str) -> bool:
    """Whether a heartbeat may go by it: a UUID in its usual spelling."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False
