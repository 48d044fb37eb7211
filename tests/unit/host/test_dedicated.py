from __future__ import annotations

from solovirt.api.kubevirt.spec.compute import CPU, NUMA, Hugepages, Memory, NUMAGuestMappingPassthrough, Realtime
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.host import dedicated
from solovirt.host.cpupool import Request
from solovirt.host.model.bindings import CPUPlacement, NumaCell
from solovirt.host.model.facts import HostFacts, HostNode, QemuFacts


def spec(cpu: CPU | None = None) -> VirtualMachineInstanceSpec:
    memory = Memory(guest="64Mi", hugepages=Hugepages(page_size="2Mi"))
    return VirtualMachineInstanceSpec(domain=Domain(cpu=cpu, memory=memory))


def host(cpus: int, *nodes: HostNode) -> HostFacts:
    return HostFacts(qemu=QemuFacts(binary="/q", version=(7, 2, 0)), accel="tcg", cpus=cpus, nodes=nodes)


def test_what_is_asked() -> None:
    cpu = CPU(
        cores=2,
        threads=2,
        dedicated_cpu_placement=True,
        isolate_emulator_thread=True,
        numa=NUMA(guest_mapping_passthrough=NUMAGuestMappingPassthrough()),
        realtime=Realtime(mask="0,^1,2-3"),
    )
    assert dedicated.request(spec(cpu)) == Request(4, 2, True, True, 64 << 20, 2 << 20)
    assert dedicated.realtime(spec(cpu)) == (0, 2, 3)
    assert dedicated.realtime(spec()) == ()
    assert not dedicated.is_dedicated(spec())


def test_a_plan_for_explain() -> None:
    assert dedicated.plan(spec(), host(4)) is None
    asked = spec(CPU(cores=3, dedicated_cpu_placement=True))
    assert dedicated.plan(asked, host(4)) == CPUPlacement(vcpus=(0, 1, 2))
    assert dedicated.plan(asked, host(2)) == CPUPlacement(vcpus=(0, 1, 2)), "though there are not as many"
    asked.domain.cpu.numa = NUMA(guest_mapping_passthrough=NUMAGuestMappingPassthrough())  # type: ignore[union-attr]
    planned = dedicated.plan(asked, host(4, HostNode(0, (0, 1)), HostNode(1, (2, 3))))
    assert planned is not None
    assert planned.cells == (NumaCell((0, 1), 32 << 20, 0), NumaCell((2,), 32 << 20, 1))
