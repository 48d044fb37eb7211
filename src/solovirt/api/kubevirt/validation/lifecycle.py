"""Rules for how a VMI starts, ends and is named: strategies, policies, DNS, service account.

Source: kubevirt admitters/vmi-create-admitter.go; Kubernetes pkg/apis/core/validation for DNS.
"""

from __future__ import annotations

import ipaddress

from solovirt.api.causes import INVALID, NOT_SUPPORTED, REQUIRED, Causes
from solovirt.api.kubevirt.spec.instance import VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.scheduling import DNSConfig
from solovirt.api.kubevirt.validation.text import check_reference
from solovirt.kit.names import label_problem, subdomain_problem

MAX_GRACE_PERIOD = 2**31 - 1
EVICTION = ("None", "LiveMigrate", "LiveMigrateIfPossible", "External")
REBOOT = ("Reboot", "Terminate")
DNS_POLICIES = ("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None")
MAX_NAMESERVERS, MAX_SEARCHES, MAX_SEARCH_CHARACTERS = 3, 32, 2048
MAX_OPTIONS, MAX_OPTION = 64, 253


def check_lifecycle(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    """``field`` is the path of ``spec``."""
    grace = spec.termination_grace_period_seconds
    if grace is not None and not 0 <= grace <= MAX_GRACE_PERIOD:
        causes.invalid(f"{field}.terminationGracePeriodSeconds", grace, f"must be between 0 and {MAX_GRACE_PERIOD}")
    _check_start(causes, spec, field)
    if spec.eviction_strategy not in ("", *EVICTION):
        _unrecognized(causes, f"{field}.evictionStrategy", spec.eviction_strategy)
    if spec.domain.reboot_policy not in ("", *REBOOT):
        causes.not_supported(f"{field}.domain.rebootPolicy", spec.domain.reboot_policy, REBOOT)
    for name, value in (("hostname", spec.hostname), ("subdomain", spec.subdomain)):
        if value and (problem := label_problem(value)):
            place = f"{field}.{name}"
            causes.add(INVALID, place, f"{place} does not conform to the kubernetes DNS_LABEL rules : {problem}")
    _check_dns(causes, spec, field)
    _check_service_account(causes, spec, field)


def _check_start(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    place = f"{field}.startStrategy"
    if spec.start_strategy not in ("", "Paused"):
        _unrecognized(causes, place, spec.start_strategy)
    elif spec.start_strategy and spec.liveness_probe is not None:
        text = f"either {place} or {field}.livenessProbe should be provided."
        causes.add(INVALID, place, f"{text}Pausing VMI with LivenessProbe is not supported")


def _unrecognized(causes: Causes, place: str, value: str) -> None:
    causes.add(INVALID, place, f"{place} is set with an unrecognized option: {value}")


def _check_dns(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    policy, config = spec.dns_policy, spec.dns_config
    if policy not in ("", *DNS_POLICIES):
        text = f"DNSPolicy: {policy} is not supported, valid values: [{' '.join(DNS_POLICIES)} ]"
        causes.add(NOT_SUPPORTED, f"{field}.dnsPolicy", text)
    place = f"{field}.dnsConfig"
    if policy == "None" and config is None:
        causes.add(REQUIRED, place, "must provide `dnsConfig` when `dnsPolicy` is None")
    elif policy == "None" and config is not None and not config.nameservers:
        text = "must provide at least one DNS nameserver when `dnsPolicy` is None"
        causes.add(REQUIRED, f"{place}.nameservers", text)
    if config is not None:
        _check_dns_config(causes, config, place)


def _check_dns_config(causes: Causes, config: DNSConfig, place: str) -> None:
    servers = config.nameservers
    if len(servers) > MAX_NAMESERVERS:
        text = f"must not have more than {MAX_NAMESERVERS} nameservers: [{' '.join(servers[: MAX_NAMESERVERS * 2])}]"
        causes.add(INVALID, f"{place}.nameservers", text)
    for index, server in enumerate(servers[: MAX_NAMESERVERS * 2]):
        if not _is_address(server):
            causes.add(INVALID, f"{place}.nameservers[{index}]", f"must be valid IP address: {server}")
    searches = config.searches
    if len(searches) > MAX_SEARCHES:
        text = f"must not have more than {MAX_SEARCHES} search paths"
        causes.add(INVALID, f"{place}.searches", text)
    if len(" ".join(searches)) > MAX_SEARCH_CHARACTERS:
        text = f"must not have more than {MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list"
        causes.add(INVALID, f"{place}.searches", text)
    for index, search in enumerate(searches[:MAX_SEARCHES]):
        if search != "." and (problem := subdomain_problem(search.removesuffix("."))):
            causes.invalid(f"{place}.searches[{index}]", search, problem)
    if len(config.options) > MAX_OPTIONS:
        causes.invalid(f"{place}.options", len(config.options), f"must have at most {MAX_OPTIONS} items")
    for index, option in enumerate(config.options[:MAX_OPTIONS]):
        if not option.name:
            causes.add(REQUIRED, f"{place}.options[{index}]", "Option.Name must not be empty")
        for text in (option.name, option.value or ""):
            if len(text) > MAX_OPTION or not text.isprintable() or " " in text:
                causes.invalid(f"{place}.options[{index}]", text, "must be one word of resolv.conf")


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def _check_service_account(causes: Causes, spec: VirtualMachineInstanceSpec, field: str) -> None:
    place = f"{field}.serviceAccountName"
    if not spec.service_account_name:
        return
    check_reference(causes, spec.service_account_name, place)
    for volume in spec.volumes:
        account = volume.service_account
        if account is not None and account.service_account_name != spec.service_account_name:
            text = f"{place} must be the service account of the volume {volume.name}"
            causes.add(INVALID, place, text)
