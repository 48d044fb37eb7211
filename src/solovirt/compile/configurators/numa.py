"""-numa: the guest's NUMA nodes. ``compile.ram`` decides which there are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from solovirt.compile import ram
from solovirt.compile.configurators import topology
from solovirt.compile.context import Context
from solovirt.compile.options import KeyValues, Option, Prop
from solovirt.compile.reasons import needs


def options(ctx: Context) -> Iterator[Option]:
    found = ram.nodes(ctx)
    if not found:
        return
    everything = range(topology.resolve(ctx).max_vcpus)
    named = {vcpu for node in found for vcpu in node.vcpus or ()}
    for node in found:
        last = node is found[-1]
        vcpus = everything if node.vcpus is None else node.vcpus
        if last and node.vcpus is not None:
            vcpus = (*node.vcpus, *(vcpu for vcpu in everything if vcpu not in named))
        why_cpus = node.why
        if last and len(vcpus) > len(node.vcpus or vcpus):
            why_cpus = needs("vCPUs that may be added need a node as well: the last one", node.why.path)
        spans = [Prop("cpus", span, why_cpus) for span in _spans(vcpus)]
        memory = Prop("memdev", node.backend, needs("this memory belongs to the node"))
        yield Option(
            "-numa", KeyValues("node", node.why, (Prop("nodeid", node.number, node.why), *spans, memory)), node.why
        )


def _spans(numbers: Iterable[int]) -> list[str]:
    """Runs of numbers as QEMU takes them, one ``cpus=`` each: 0,1,2,5 -> "0-2", "5"."""
    spans: list[list[int]] = []
    for number in sorted(set(numbers)):
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return [str(first) if first == last else f"{first}-{last}" for first, last in spans]
