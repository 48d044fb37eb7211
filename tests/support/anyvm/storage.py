"""Random volumes with the disks, LUNs, CD-ROMs and filesystems that show them, as plain JSON values."""

from __future__ import annotations

from hypothesis import strategies as st

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.anyvm.draws import fields, flag

_serial = st.text(st.sampled_from("abzAZ019_.+-"), min_size=1, max_size=20)
_label = st.sampled_from(["", "cfgdata", "A LABEL, with comma"])
_block = st.sampled_from([512, 1024, 4096, 1 << 16, 2 << 20])
_ONCE = ("cloudInitNoCloud", "cloudInitConfigDrive", "serviceAccount", "downwardMetrics")
"""Of the first two together, and of each other, a machine has one."""
_SHARED = ("configMap", "secret", "downwardAPI", "serviceAccount", "persistentVolumeClaim", "dataVolume")
_OVERLAYS = ("containerDisk", "ephemeral", "emptyDisk")
"""Their images are qcow2, which two machines cannot share: told when the machine is made, as in KubeVirt."""
_CACHES = ["none", "writethrough", "writeback"]

SOURCES: dict[str, st.SearchStrategy[JsonObject]] = {
    "containerDisk": fields(
        {"image": st.just("quay.io/disks/fedora:41")},
        optional={"path": st.just("/disk/root.qcow2"), "imagePullPolicy": st.sampled_from(["Always", "Never"])},
    ),
    "persistentVolumeClaim": fields({"claimName": st.just("data")}, optional={"readOnly": flag, "hotpluggable": flag}),
    "dataVolume": fields({"name": st.just("root")}, optional={"hotpluggable": flag}),
    "ephemeral": st.just({"persistentVolumeClaim": {"claimName": "base"}}),
    "emptyDisk": fields({"capacity": st.sampled_from(["1Gi", "512M", "3000000000"])}),
    "hostDisk": st.one_of(
        fields({"path": st.just("/data/disk.img"), "type": st.just("Disk")}, optional={"shared": flag}),
        st.just({"path": "/data/new, with comma.img", "type": "DiskOrCreate", "capacity": "1Gi"}),
    ),
    "cloudInitNoCloud": st.just({"userData": "#cloud-config\n", "networkData": "version: 2\n"}),
    "cloudInitConfigDrive": st.just({"userDataBase64": "I2Nsb3VkLWNvbmZpZwo="}),
    "sysprep": st.sampled_from([{"configMap": {"name": "answers"}}, {"secret": {"name": "answers"}}]),
    "configMap": fields({"name": st.just("settings")}, optional={"volumeLabel": _label}),
    "secret": fields({"secretName": st.just("keys")}, optional={"optional": flag}),
    "downwardAPI": st.just({"fields": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]}),
    "serviceAccount": st.just({"serviceAccountName": "default"}),
    "downwardMetrics": st.just({}),
}


@st.composite
def storage(draw: st.DrawFn) -> tuple[list[Json], list[Json], list[Json]]:
    """(volumes, disks, filesystems)"""
    volumes: list[Json] = []
    disks: list[Json] = []
    filesystems: list[Json] = []
    left = dict(SOURCES)
    for number in range(draw(st.integers(0, 7))):
        name = f"{draw(st.sampled_from(['disk', 'root', 'a']))}-{number}"
        source = draw(st.sampled_from(sorted(left)))
        if source in _ONCE:
            for gone in _ONCE[:2] if source in _ONCE[:2] else (source,):
                left.pop(gone)
        volumes.append({"name": name, source: draw(left.get(source, SOURCES[source]))})
        if source in _SHARED and draw(st.integers(0, 4)) == 0:
            filesystems.append({"name": name, "virtiofs": {}})
        elif source == "downwardMetrics" or draw(st.integers(0, 9)):
            disks.append(draw(_disk(name, source, number + 1)))
    if draw(st.integers(0, 5)) == 0:
        disks.append({"name": "tray", "cdrom": draw(_cdrom)})
    return volumes, disks, filesystems


_cdrom = fields(
    {}, optional={"bus": st.sampled_from(["sata", "scsi", "usb"]), "tray": st.sampled_from(["open", "closed"])}
)


@st.composite
def _disk(draw: st.DrawFn, name: str, source: str, order: int) -> JsonObject:
    disk: JsonObject = draw(
        fields(
            {"name": st.just(name)},
            optional={
                "serial": _serial,
                "cache": st.sampled_from(_CACHES),
                "io": st.sampled_from(["native", "threads"]),
                "errorPolicy": st.sampled_from(["stop", "ignore", "report", "enospace"]),
                "tag": st.just("role"),
                "bootOrder": st.just(order),
                "shareable": flag,
                "dedicatedIOThread": flag,
                "blockSize": _block_size(),
            },
        )
    )
    if source in _OVERLAYS:
        disk.pop("shareable", None)
    kind = draw(st.sampled_from(["disk", "disk", "disk", "cdrom", "lun", "none"]))
    if source == "downwardMetrics":
        return {**disk, "disk": {"bus": "virtio"}}
    if kind == "disk":
        disk["disk"] = draw(
            fields({"bus": st.sampled_from(["virtio", "virtio", "scsi", "sata", "usb"])}, optional={"readonly": flag})
        )
    elif kind == "cdrom":
        disk["cdrom"] = draw(_cdrom)
    elif kind == "lun" and source == "persistentVolumeClaim":
        disk["lun"] = draw(fields({"bus": st.just("scsi")}, optional={"readonly": flag, "reservation": flag}))
    return disk


@st.composite
def _block_size(draw: st.DrawFn) -> JsonObject:
    if draw(flag):
        return {"matchVolume": {"enabled": True}}
    logical = draw(_block)
    custom: JsonObject = {"logical": logical, "physical": max(logical, draw(_block))}
    if draw(flag):
        custom["discardGranularity"] = logical * draw(st.integers(0, 8))
    return {"custom": custom}
