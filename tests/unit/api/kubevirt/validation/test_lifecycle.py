from __future__ import annotations

import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.probes import GuestAgentPing, Probe
from solovirt.api.kubevirt.spec.scheduling import DNSConfig, DNSOption
from solovirt.api.kubevirt.spec.sources import ServiceAccountSource, Volume
from solovirt.api.kubevirt.validation.lifecycle import check_lifecycle

Spec = VirtualMachineInstanceSpec


def problems(spec: Spec) -> list[tuple[str, str]]:
    causes = Causes()
    check_lifecycle(causes, spec, "spec")
    return [(cause.field, cause.message) for cause in causes.found]


def test_everything_at_once_is_fine() -> None:
    config = DNSConfig(nameservers=["1.1.1.1", "::1"], searches=["example.com."], options=[DNSOption(name="ndots")])
    spec = Spec(
        domain=Domain(reboot_policy="Terminate"),
        hostname="a",
        subdomain="b",
        start_strategy="Paused",
        eviction_strategy="LiveMigrateIfPossible",
        termination_grace_period_seconds=0,
        dns_policy="None",
        dns_config=config,
        service_account_name="robot",
        volumes=[Volume(name="v", service_account=ServiceAccountSource(service_account_name="robot"))],
    )
    assert problems(spec) == []


def test_strategies() -> None:
    assert problems(Spec(domain=Domain(), eviction_strategy="fantasy")) == [
        ("spec.evictionStrategy", "spec.evictionStrategy is set with an unrecognized option: fantasy")
    ]
    assert problems(Spec(domain=Domain(), start_strategy="invalid")) == [
        ("spec.startStrategy", "spec.startStrategy is set with an unrecognized option: invalid")
    ]
    assert [field for field, _ in problems(Spec(domain=Domain(reboot_policy="Never")))] == ["spec.domain.rebootPolicy"]


def test_a_paused_start_has_no_liveness_probe() -> None:
    probe = Probe(guest_agent_ping=GuestAgentPing())
    text = (
        "either spec.startStrategy or spec.livenessProbe should be provided."
        "Pausing VMI with LivenessProbe is not supported"
    )
    spec = Spec(domain=Domain(), start_strategy="Paused", liveness_probe=probe)
    assert problems(spec) == [("spec.startStrategy", text)]


def test_names() -> None:
    spec = Spec(domain=Domain(), hostname="a.b", subdomain="-")
    found = problems(spec)
    assert [field for field, _ in found] == ["spec.hostname", "spec.subdomain"]
    assert found[1][1].startswith("spec.subdomain does not conform to the kubernetes DNS_LABEL rules : ")


@pytest.mark.parametrize(
    ("policy", "config", "field", "message"),
    [
        ("FirstOfAll", None, "dnsPolicy", "DNSPolicy: FirstOfAll is not supported, valid values:"),
        ("None", None, "dnsConfig", "must provide `dnsConfig` when `dnsPolicy` is None"),
        ("None", DNSConfig(), "dnsConfig.nameservers", "must provide at least one DNS nameserver"),
        ("", DNSConfig(nameservers=["1.1.1.1"] * 4), "dnsConfig.nameservers", "must not have more than 3 nameservers"),
        ("", DNSConfig(nameservers=["x"]), "dnsConfig.nameservers[0]", "must be valid IP address: x"),
        ("", DNSConfig(searches=["a"] * 33), "dnsConfig.searches", "must not have more than 32 search paths"),
        ("", DNSConfig(searches=["a b"]), "dnsConfig.searches[0]", "a lowercase RFC 1123 subdomain"),
        ("", DNSConfig(options=[DNSOption()]), "dnsConfig.options[0]", "Option.Name must not be empty"),
        ("", DNSConfig(options=[DNSOption(name="a", value="b c")]), "dnsConfig.options[0]", "must be one word"),
    ],
)
def test_dns(policy: str, config: DNSConfig | None, field: str, message: str) -> None:
    ((where, text),) = problems(Spec(domain=Domain(), dns_policy=policy, dns_config=config))
    assert where == f"spec.{field}"
    assert message in text


def test_one_service_account() -> None:
    volume = Volume(name="v", service_account=ServiceAccountSource(service_account_name="other"))
    spec = Spec(domain=Domain(), service_account_name="robot", volumes=[volume])
    assert [field for field, _ in problems(spec)] == ["spec.serviceAccountName"]
