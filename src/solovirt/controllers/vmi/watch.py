"""Everything that is kept an eye on while a machine runs, gathered into the view that its status is made of."""

from __future__ import annotations

from solovirt.api.kubevirt.virtualmachineinstance import ClaimInfo, VirtualMachineInstance
from solovirt.api.meta import Condition
from solovirt.controllers.site import Site
from solovirt.controllers.vmi import agent_support, migratable, status
from solovirt.controllers.vmi.agent import AgentMonitor
from solovirt.controllers.vmi.credentials import Credentials
from solovirt.controllers.vmi.interfaces import merge
from solovirt.controllers.vmi.live.updates import LiveUpdates
from solovirt.controllers.vmi.lookup import StoreLookup, claims_of
from solovirt.controllers.vmi.metrics import Metrics
from solovirt.controllers.vmi.probe_actions import Reach
from solovirt.controllers.vmi.probing import Probes
from solovirt.controllers.vmi.records import LaunchRecord
from solovirt.controllers.vmi.volume_status import claim_info
from solovirt.host import network
from solovirt.host.model.bindings import Pins
from solovirt.hypervisor.instance import Instance

USER_NETWORK = "user"
NETDEV = "hostua-"
"""How compile names the host's side of an interface (``compile.netdev``)."""


class Watch:
    def __init__(
        self, site: Site, agents: AgentMonitor, probes: Probes, credentials: Credentials, live: LiveUpdates
    ) -> None:
        self._site = site
        self._lookup = StoreLookup(site.objects)
        self._agents = agents
        self._probes = probes
        self._credentials = credentials
        self._live = live
        self._metrics = Metrics(site)
        self._links: dict[str, dict[str, str]] = {}

    def look(self, vmi: VirtualMachineInstance, instance: Instance, record: LaunchRecord | None) -> status.View:
        """What is known of the machine now. Begins to watch what is not watched yet."""
        uid = vmi.metadata.uid
        if instance.agent.connected:
            self._agents.connected(instance)
        self._credentials.watch(vmi, instance)
        self._metrics.watch(vmi, instance)
        view = status.View(
            facts=self._site.facts,
            state=instance.run_state,
            pins=record.pins if record is not None else Pins(),
            networks=network.bind(vmi),
            agent_connected=instance.agent.connected,
            snapshot=self._agents.snapshot(uid),
            runtime_user=record.run_as[0] if record is not None and record.run_as is not None else 0,
            extra=self._conditions(vmi),
            sizes=record.sizes if record is not None else {},
            vsock_cid=record.vsock_cid if record is not None else 0,
            live=self._live.report(uid),
            claims=self._claims(vmi),
        )
        self._follow_nics(uid, view)
        self._probes.watch(vmi, instance, lambda: self._reach(vmi, view))
        return status.with_ready(view, self._probes.is_ready(uid))

    def _claims(self, vmi: VirtualMachineInstance) -> dict[str, ClaimInfo]:
        found = ((name, self._lookup.claim(vmi.metadata.namespace, name)) for name in claims_of(vmi))
        return {name: claim_info(claim) for name, claim in found if claim is not None}

    def forget(self, uid: str) -> None:
        """The machine is gone."""
        self._agents.disconnected(uid)
        self._probes.forget(uid)
        self._credentials.forget(uid)
        self._metrics.forget(uid)
        self._links.pop(uid, None)

    async def close(self) -> None:
        await self._metrics.close()

    def _follow_nics(self, uid: str, view: status.View) -> None:
        """NICs came, went or were switched: the guest's agent has news of addresses soon."""
        links = dict(view.live.nics or {})
        if view.live.nics is not None and links != self._links.get(uid):
            self._links[uid] = links
            self._agents.soon(uid)

    def _conditions(self, vmi: VirtualMachineInstance) -> tuple[Condition, ...]:
        uid = vmi.metadata.uid
        found = [migratable.condition(vmi, self._lookup.claim)]
        snapshot = self._agents.snapshot(uid)
        if snapshot is not None and snapshot.info is not None:
            reason = agent_support.unsupported(vmi.spec, snapshot.info)
            if reason:
                found.append(Condition(type="AgentVersionNotSupported", status="True", reason=reason))
        credentials = self._credentials.condition(uid)
        return (*found, credentials) if credentials is not None else tuple(found)

    def _reach(self, vmi: VirtualMachineInstance, view: status.View) -> Reach:
        """The way to the guest on the pod network; without QEMU's user network its own word of its address."""
        pods = {one.name for one in vmi.spec.networks if one.pod is not None}
        for nic in vmi.spec.domain.devices.interfaces:
            bound = view.networks.get(nic.name)
            if nic.name not in pods or bound is None:
                continue
            if bound.kind == USER_NETWORK:
                return Reach(bound.dhcp_start, NETDEV + nic.name)
            snapshot = self._agents.snapshot(vmi.metadata.uid)
            shown = merge(status.domain_interfaces(vmi, view), snapshot.interfaces if snapshot is not None else ())
            return Reach(next((one.ip_address for one in shown if one.name == nic.name), ""))
        return Reach()
