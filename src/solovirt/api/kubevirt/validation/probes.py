"""Rules for livenessProbe and readinessProbe.

Source: kubevirt admitters/vmi-create-admitter.go, ``validateProbe``; Kubernetes' rules for the probes of a pod, which
KubeVirt meets only when it makes one.
"""

from __future__ import annotations

import re

from solovirt.api.causes import INVALID, REQUIRED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.probes import HTTPGetAction, Probe, TCPSocketAction
from solovirt.api.kubevirt.validation.text import MAX_LENGTH, check_printable

MAX_SECONDS = 2**31 - 1
MAX_COMMAND, MAX_ARGUMENT, MAX_HEADERS = 256, 4096, 64
SCHEMES = ("HTTP", "HTTPS")
_HEADER = re.compile(r"[-A-Za-z0-9!#$%&'*+.^_`|~]{1,256}")
_PORT_NAME = re.compile(r"(?=.*[a-z])[a-z0-9]([a-z0-9-]{0,13}[a-z0-9])?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9:])?|::[0-9A-Fa-f:.]{0,43}")


def check_probes(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of ``spec``."""
    pod_network = any(network.pod is not None for network in spec.networks)
    # Without any network one to the pod is made, unless that is turned off.
    devices = spec.domain.devices
    made = not spec.networks and not devices.interfaces and devices.autoattach_pod_interface is not False
    for name, probe in (("readinessProbe", spec.readiness_probe), ("livenessProbe", spec.liveness_probe)):
        if probe is not None:
            _check(causes, probe, f"{field}.{name}")
            if not pod_network and not made:
                _needs_pod_network(causes, probe, f"{field}.{name}")
    liveness = spec.liveness_probe
    if liveness is not None and (liveness.success_threshold or 1) > 1:
        causes.invalid(f"{field}.livenessProbe.successThreshold", liveness.success_threshold, "must be 1")


def _check(causes: Causes, probe: Probe, field: str) -> None:
    handlers = sum(one is not None for one in (probe.http_get, probe.tcp_socket, probe.exec, probe.guest_agent_ping))
    if handlers > 1:
        causes.add(INVALID, field, f"{field} must have exactly one probe type set")
    elif handlers < 1:
        names = f"{field}.tcpSocket, {field}.exec or {field}.httpGet"
        causes.add(REQUIRED, field, f"either {names} must be set if a {field} is specified")
    _check_numbers(causes, probe, field)
    if probe.exec is not None:
        _check_command(causes, probe.exec.command, f"{field}.exec.command")
    if probe.tcp_socket is not None:
        _check_target(causes, probe.tcp_socket, f"{field}.tcpSocket")
    if probe.http_get is not None:
        _check_target(causes, probe.http_get, f"{field}.httpGet")
        _check_http(causes, probe.http_get, f"{field}.httpGet")


def _check_numbers(causes: Causes, probe: Probe, field: str) -> None:
    numbers = {
        "initialDelaySeconds": probe.initial_delay_seconds,
        "timeoutSeconds": probe.timeout_seconds,
        "periodSeconds": probe.period_seconds,
        "successThreshold": probe.success_threshold,
        "failureThreshold": probe.failure_threshold,
    }
    for name, number in numbers.items():
        if number is not None and number < 0:
            causes.invalid(f"{field}.{name}", number, "must be greater than or equal to 0")
        elif number is not None and number > MAX_SECONDS:
            causes.invalid(f"{field}.{name}", number, f"must be less than or equal to {MAX_SECONDS}")


def _check_command(causes: Causes, command: list[str], field: str) -> None:
    if not command or not command[0]:
        causes.required(field)
    if len(command) > MAX_COMMAND:
        causes.invalid(field, len(command), f"must have at most {MAX_COMMAND} words")
    for index, word in enumerate(command[:MAX_COMMAND]):
        if len(word) > MAX_ARGUMENT or "\0" in word:
            causes.invalid(f"{field}[{index}]", word, f"must have at most {MAX_ARGUMENT} characters and no NUL")


def _check_target(causes: Causes, target: TCPSocketAction | HTTPGetAction, field: str) -> None:
    port = target.port
    if isinstance(port, str):
        if not (port.isascii() and port.isdigit() and 1 <= int(port[:8]) <= 65535) and not _PORT_NAME.fullmatch(port):
            causes.invalid(f"{field}.port", port, "must be a port number or the name of one of an interface's ports")
    elif not 1 <= port <= 65535:
        causes.invalid(f"{field}.port", port, "must be between 1 and 65535, inclusive")
    if target.host and not _HOST.fullmatch(target.host):
        causes.invalid(f"{field}.host", target.host, "must be a host name or an IP address")


def _check_http(causes: Causes, action: HTTPGetAction, field: str) -> None:
    if action.scheme not in ("", *SCHEMES):
        causes.not_supported(f"{field}.scheme", action.scheme, SCHEMES)
    check_printable(causes, action.path, f"{field}.path", MAX_LENGTH * 8)
    if len(action.http_headers) > MAX_HEADERS:
        causes.invalid(f"{field}.httpHeaders", len(action.http_headers), f"must be at most {MAX_HEADERS}")
    for index, header in enumerate(action.http_headers[:MAX_HEADERS]):
        place = f"{field}.httpHeaders[{index}]"
        if not _HEADER.fullmatch(header.name):
            text = "a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name')"
            causes.invalid(f"{place}.name", header.name, text)
        check_printable(causes, header.value, f"{place}.value", MAX_LENGTH * 16)


def _needs_pod_network(causes: Causes, probe: Probe, field: str) -> None:
    for name, handler in (("httpGet", probe.http_get), ("tcpSocket", probe.tcp_socket)):
        if handler is not None:
            text = f"{field}.{name} is only allowed if the Pod Network is attached"
            causes.add(INVALID, f"{field}.{name}", text)
