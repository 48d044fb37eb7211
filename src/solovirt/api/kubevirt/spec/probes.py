"""livenessProbe and readinessProbe (KubeVirt api core/v1 types.go)."""

from __future__ import annotations

import msgspec

from solovirt.api.meta import Model


class ExecAction(Model):
    command: list[str] = msgspec.field(default_factory=list)


class GuestAgentPing(Model):
    """``guestAgentPing: {}``."""


class HTTPHeader(Model):
    name: str
    value: str = ""


class HTTPGetAction(Model):
    port: int | str
    path: str = ""
    host: str = ""
    scheme: str = ""
    http_headers: list[HTTPHeader] = msgspec.field(default_factory=list)


class TCPSocketAction(Model):
    port: int | str
    host: str = ""


class Probe(Model):
    """One handler each. Times are seconds."""

    exec: ExecAction | None = None
    guest_agent_ping: GuestAgentPing | None = None
    http_get: HTTPGetAction | None = None
    tcp_socket: TCPSocketAction | None = None
    initial_delay_seconds: int | None = None
    timeout_seconds: int | None = None
    period_seconds: int | None = None
    success_threshold: int | None = None
    failure_threshold: int | None = None
