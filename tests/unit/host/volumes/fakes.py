"""VMIs with volumes, a Lookup over dicts, and a qemu-img that only writes headers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from solovirt.api.core.persistentvolumeclaim import PersistentVolumeClaim, PersistentVolumeClaimSpec
from solovirt.api.kubevirt.spec.instance import Domain, VirtualMachineInstanceSpec
from solovirt.api.kubevirt.spec.sources import Volume
from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
from solovirt.api.meta import ObjectMeta
from solovirt.host.images import tools
from solovirt.host.images.tools import Completed
from solovirt.host.volumes import qemu_img
from solovirt.host.volumes.templates import Templates
from tests.unit.host.images.fakes import qcow2


def vmi(*volumes: Volume, name: str = "vm", uid: str = "u-1") -> VirtualMachineInstance:
    spec = VirtualMachineInstanceSpec(domain=Domain(), volumes=list(volumes))
    return VirtualMachineInstance(metadata=ObjectMeta(name=name, namespace="default", uid=uid), spec=spec)


@dataclass
class Objects:
    """``prepare.Lookup``; keys are "namespace/name"."""

    secrets: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    config_maps: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)

    def secret(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return self.secrets.get(f"{namespace}/{name}")

    def config_map(self, namespace: str, name: str) -> Mapping[str, bytes] | None:
        return self.config_maps.get(f"{namespace}/{name}")

    def claim(self, namespace: str, name: str) -> PersistentVolumeClaim | None:
        return PersistentVolumeClaim(spec=PersistentVolumeClaimSpec()) if f"{namespace}/{name}" in self.claims else None


@dataclass
class QemuImg:
    """In the place of ``tools.run``; ``answer`` is what the next runs give."""

    runs: list[list[str]] = field(default_factory=list)
    answer: Completed = field(default_factory=lambda: Completed(0, b"", ""))

    async def __call__(self, tool: str, arguments: Sequence[str], **options: object) -> Completed:
        assert tool == "qemu-img"
        self.runs.append(list(arguments))
        if self.answer.returncode:
            return self.answer
        words = list(arguments)
        if words[0] == "create":
            self._create(words)
        elif words[0] == "resize":
            Path(words[-2]).write_bytes(qcow2(size=int(words[-1])))
        elif words[0] == "convert":
            sink = options["on_stdout"]
            assert callable(sink)
            sink(b"    (50.00/100%)\r    (100.00/100%)\r")
            Path(words[-1]).write_bytes(qcow2())
        return self.answer

    def _create(self, words: list[str]) -> None:
        parts = words[words.index("-o") + 1].replace(",,", "\0").split(",")
        given = dict(part.replace("\0", ",").split("=", 1) for part in parts)
        backing = given.get("backing_file", "").encode()
        extensions = [(0xE2792ACA, given["backing_fmt"].encode())] if backing else []
        Path(words[-2]).write_bytes(qcow2(size=int(words[-1]), backing=backing, extensions=extensions))


def fake_qemu_img(monkeypatch: pytest.MonkeyPatch) -> QemuImg:
    made = QemuImg()
    monkeypatch.setattr(tools, "run", made)
    monkeypatch.setattr(qemu_img, "_TEMPLATES", Templates())
    return made
