"""Of this host and its daemon, as metrics: versions, queues, store, and what was counted since its start."""

from __future__ import annotations

import os
import time
from pathlib import Path

from solovirt import __version__
from solovirt.controllers.tallies import BUCKETS, Histogram, Tallies
from solovirt.server import versions
from solovirt.server.interfaces import Figures
from solovirt.server.metrics.families import Families
from solovirt.store.objects import Objects


def add(families: Families, figures: Figures, objects: Objects) -> None:
    host = figures.host()
    info = {"goversion": "", "kubeversion": str(versions.kubevirt()["gitVersion"]), "solovirt_version": __version__}
    families.add("kubevirt_info", info, 1)
    families.add("kubevirt_configuration_emulation_enabled", {}, int(host.accel == "tcg"))
    for name, length in figures.queues().items():
        families.add("kubevirt_workqueue_depth", {"name": name}, length)
    families.add("solovirt_store_commits_total", {}, objects.commits)
    families.add("solovirt_store_revision", {}, objects.revision)
    families.add("solovirt_process_cpu_seconds_total", {}, time.process_time())
    families.add("solovirt_process_resident_memory_bytes", {}, _resident())
    _add_tallies(families, figures.tallies, host.node)


def _add_tallies(families: Families, tallies: Tallies, node: str) -> None:
    for (phase, last), histogram in tallies.between.items():
        labels = {"phase": phase, "last_phase": last}
        _add_histogram(families, "kubevirt_vmi_phase_transition_time_seconds", labels, histogram)
    for phase, histogram in tallies.from_creation.items():
        name = "kubevirt_vmi_phase_transition_time_from_creation_seconds"
        _add_histogram(families, name, {"phase": phase}, histogram)
    for phase, histogram in tallies.from_deletion.items():
        name = "kubevirt_vmi_phase_transition_time_from_deletion_seconds"
        _add_histogram(families, name, {"phase": phase}, histogram)
    for (namespace, vmi), count in tallies.panics.items():
        families.add("kubevirt_vmi_guest_os_panic_total", {"namespace": namespace, "name": vmi}, count)
    for (namespace, vmi), moment in tallies.connections.items():
        labels = {"node": node, "namespace": namespace, "name": vmi}
        families.add("kubevirt_vmi_last_api_connection_timestamp_seconds", labels, moment)


def _add_histogram(families: Families, name: str, labels: dict[str, str], histogram: Histogram) -> None:
    families.add_histogram(name, labels, BUCKETS, histogram.counts, histogram.sum)


def _resident() -> int:
    """Bytes (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
