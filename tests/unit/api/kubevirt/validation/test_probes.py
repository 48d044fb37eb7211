from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.interfaces import Binding, Interface
from solovirt.api.kubevirt.spec.probes import (
    ExecAction,
    GuestAgentPing,
    HTTPGetAction,
    HTTPHeader,
    Probe,
    TCPSocketAction,
)
from solovirt.api.kubevirt.spec.sources import MultusNetwork, Network, PodNetwork
from solovirt.api.kubevirt.validation.probes import check_probes


def problems(
    readiness: Probe | None = None, liveness: Probe | None = None, *, pod: bool = True
) -> list[tuple[str, str]]:
    network = Network(name="n", pod=PodNetwork()) if pod else Network(name="n", multus=MultusNetwork(network_name="x"))
    spec = VirtualMachineInstanceSpec(
        domain=Domain(), networks=[network], readiness_probe=readiness, liveness_probe=liveness
    )
    spec.domain.devices.interfaces = [Interface(name="n", bridge=Binding())]
    causes = Causes()
    check_probes(causes, spec, "spec")
    return [(cause.field, cause.message) for cause in causes.found]


def test_exactly_one_handler() -> None:
    both = Probe(http_get=HTTPGetAction(port=80), tcp_socket=TCPSocketAction(port=80))
    assert problems(both, both) == [
        ("spec.readinessProbe", "spec.readinessProbe must have exactly one probe type set"),
        ("spec.livenessProbe", "spec.livenessProbe must have exactly one probe type set"),
    ]
    names = "spec.readinessProbe.tcpSocket, spec.readinessProbe.exec or spec.readinessProbe.httpGet"
    text = f"either {names} must be set if a spec.readinessProbe is specified"
    assert problems(Probe()) == [("spec.readinessProbe", text)]


def test_what_is_fine() -> None:
    assert problems(Probe(guest_agent_ping=GuestAgentPing()), Probe(exec=ExecAction(command=["true"]))) == []
    headers = [HTTPHeader(name="X-A", value="b c")]
    web = HTTPGetAction(port="web", host="::1", scheme="HTTPS", path="/a b", http_headers=headers)
    assert problems(Probe(http_get=web), Probe(tcp_socket=TCPSocketAction(port="8080", host="db.example.com"))) == []
    assert problems(Probe(guest_agent_ping=GuestAgentPing()), pod=False) == []


def test_the_pod_network_is_needed_by_what_connects() -> None:
    web, tcp = Probe(http_get=HTTPGetAction(port=80)), Probe(tcp_socket=TCPSocketAction(port=80))
    assert problems(web, tcp, pod=False) == [
        (
            "spec.readinessProbe.httpGet",
            "spec.readinessProbe.httpGet is only allowed if the Pod Network is attached",
        ),
        (
            "spec.livenessProbe.tcpSocket",
            "spec.livenessProbe.tcpSocket is only allowed if the Pod Network is attached",
        ),
    ]


@pytest.mark.parametrize(
    ("probe", "field"),
    [
        (Probe(exec=ExecAction(command=[])), "exec.command"),
        (Probe(exec=ExecAction(command=["a\0b"])), "exec.command[0]"),
        (Probe(tcp_socket=TCPSocketAction(port=0)), "tcpSocket.port"),
        (Probe(tcp_socket=TCPSocketAction(port="65536")), "tcpSocket.port"),
        (Probe(tcp_socket=TCPSocketAction(port="NO")), "tcpSocket.port"),
        (Probe(tcp_socket=TCPSocketAction(port=1, host="a b")), "tcpSocket.host"),
        (Probe(http_get=HTTPGetAction(port=1, scheme="ftp")), "httpGet.scheme"),
        (Probe(http_get=HTTPGetAction(port=1, path="/\r\nX: y")), "httpGet.path"),
        (Probe(http_get=HTTPGetAction(port=1, http_headers=[HTTPHeader(name="a b")])), "httpGet.httpHeaders[0].name"),
        (
            Probe(http_get=HTTPGetAction(port=1, http_headers=[HTTPHeader(name="a", value="b\r\nc: d")])),
            "httpGet.httpHeaders[0].value",
        ),
        (Probe(guest_agent_ping=GuestAgentPing(), initial_delay_seconds=-1), "initialDelaySeconds"),
        (Probe(guest_agent_ping=GuestAgentPing(), period_seconds=2**31), "periodSeconds"),
    ],
)
def test_what_is_wrong_with_one(probe: Probe, field: str) -> None:
    assert [found for found, _ in problems(probe)] == [f"spec.readinessProbe.{field}"]


def test_liveness_has_one_success() -> None:
    probe = Probe(guest_agent_ping=GuestAgentPing(), success_threshold=2)
    assert problems(probe) == []
    assert [field for field, _ in problems(None, probe)] == ["spec.livenessProbe.successThreshold"]
