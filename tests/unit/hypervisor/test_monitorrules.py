from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from solovirt.hypervisor.monitorrules import HMP, Right, judge, shown
from solovirt.kit.json import JsonObject
from solovirt.kit.text import printable

FREE, CONFIRM, REFUSED = Right.FREE, Right.CONFIRM, Right.REFUSED


HOST_FILES = (
    *("blockdev-add", "blockdev-create", "object-add", "netdev_add", "chardev-add", "device_add", "blockdev-backup"),
    *("dump-guest-memory", "pmemsave", "memsave", "screendump", "drive-backup", "blockdev-change-medium"),
    *("nbd-server-start", "block-export-add", "display-update", "snapshot-save", "snapshot-load", "balloon"),
)
"""QEMU's user opens what they name: never without --yes, and always recorded."""
HOST_FILES_HMP = (
    *("change", "drive_add", "drive_backup", "object_add", "netdev_add", "chardev-add", "device_add", "logfile"),
    *(
        "dump-guest-memory",
        "pmemsave",
        "memsave",
        "screendump",
        "gdbserver",
        "nbd_server_start",
        "trace-file",
        "qemu-io",
    ),
)


def hmp(line: str) -> JsonObject:
    return {"command-line": line}


@pytest.mark.parametrize(
    ("command", "arguments", "right"),
    [
        ("query-status", {}, FREE),
        ("query-block", {}, FREE),
        ("x-query-virtio", {}, FREE),
        ("qom-list", {"path": "/machine"}, FREE),
        ("qom-get", {"path": "/machine", "property": "type"}, FREE),
        ("qom-get", {"path": "/objects/s", "property": "data"}, REFUSED),
        ("device-list-properties", {"typename": "e1000e"}, FREE),
        (HMP, hmp("info mtree"), FREE),
        (HMP, hmp("  info\tregisters -a"), FREE),
        (HMP, hmp("infomercial"), CONFIRM),
        (HMP, hmp(""), CONFIRM),
        (HMP, hmp("x/10i 0"), CONFIRM),
        (HMP, hmp("savevm now"), CONFIRM),
        (HMP, hmp("migrate -d tcp:host:1"), REFUSED),
        (HMP, hmp(" snapshot_blkdev disk file"), REFUSED),
        (HMP, hmp("getfd/x name"), REFUSED),
        (HMP, hmp("chardev-remove charserial0"), REFUSED),
        (HMP, hmp("chardev-remove mine"), CONFIRM),
        (HMP, hmp('chardev-remove "charmonitor"'), REFUSED),
        (HMP, hmp('chardev-change "char\\monitor" null'), REFUSED),
        (HMP, hmp("qom-get /objects/s data"), REFUSED),
        (HMP, hmp('qom-get /objects/s "password"'), REFUSED),
        (HMP, hmp("qom-get /machine type"), CONFIRM),
        (HMP, hmp("\v migrate exec:cat"), REFUSED),
        (HMP, hmp("migrate_incoming exec:cat"), REFUSED),
        ("qom-list-get", {"paths": ["/machine/peripheral", "/objects/s"]}, REFUSED),
        ("qom-list-get", {"paths": ["s"]}, REFUSED),
        ("qom-list-get", {"paths": ["/machines"]}, REFUSED),
        ("qom-list-get", {"paths": [7]}, REFUSED),
        ("qom-list-get", {"paths": ["/machine", "/machine/peripheral"]}, CONFIRM),
        ("migrate-incoming", {"uri": "exec:cat"}, REFUSED),
        *((command, {}, CONFIRM) for command in HOST_FILES),
        *((HMP, hmp(f"{line} /etc/shadow"), CONFIRM) for line in HOST_FILES_HMP),
        ("system_reset", {}, CONFIRM),
        ("quit", {}, CONFIRM),
        ("device_del", {"id": "x"}, CONFIRM),
        ("unheard-of", {}, CONFIRM),
        ("Query-status", {}, CONFIRM),
        ("qom-set", {}, CONFIRM),
        ("getfd", {"fdname": "x"}, REFUSED),
        ("qmp_capabilities", {}, REFUSED),
        ("add_client", {}, REFUSED),
        ("migrate", {"uri": "exec:cat"}, REFUSED),
        ("blockdev-snapshot-sync", {}, REFUSED),
        ("blockdev-snapshot-internal-sync", {}, CONFIRM),
        ("set-action", {"shutdown": "poweroff"}, REFUSED),
        ("chardev-remove", {"id": "charmonitor"}, REFUSED),
        ("chardev-change", {"id": "charchannel0"}, REFUSED),
        ("chardev-change", {"id": "chr-vu-fs-data"}, REFUSED),
        ("chardev-remove", {"id": "chardev7"}, CONFIRM),
        ("yank", {"instances": [{"type": "chardev", "id": "charmonitor"}]}, REFUSED),
        ("yank", {"instances": [{"type": "block-node", "node-name": "x"}]}, CONFIRM),
        ("transaction", {"actions": [{"type": "blockdev-backup"}, {"type": "blockdev-snapshot"}]}, REFUSED),
        ("transaction", {"actions": [{"type": "blockdev-backup"}]}, CONFIRM),
        ("transaction", {"actions": "nonsense"}, CONFIRM),
    ],
)
def test_rights(command: str, arguments: JsonObject, right: Right) -> None:
    verdict = judge(command, arguments)
    assert verdict.right is right
    assert bool(verdict.why) == (right is REFUSED), "who is refused learns why"


@pytest.mark.parametrize(
    ("command", "arguments", "text"),
    [
        ("device_del", {"id": "x"}, "device_del id=x"),
        ("balloon", {"value": 7}, "balloon value=7"),
        ("system_reset", {}, "system_reset"),
        ("set_password", {"protocol": "vnc", "password": "geheim"}, "set_password protocol=vnc password=***"),
        ("object-add", {"qom-type": "secret", "id": "s", "data": "geheim"}, "object-add qom-type=secret id=s data=***"),
        ("x", {"a": [{"secret": "geheim", "n": 1}]}, 'x a=[{"secret":"***","n":1}]'),
        (HMP, hmp("device_del x"), f"{HMP} device_del x"),
        (HMP, hmp("set_password vnc geheim"), f"{HMP} set_password ***"),
        (HMP, hmp("change vnc password geheim"), f"{HMP} change ***"),
        (HMP, hmp("object_add secret,id=s,data=geheim"), f"{HMP} object_add ***"),
        (HMP, hmp(""), HMP + " "),
        (
            "qom-set",
            {"path": "/objects/s", "property": "data", "value": "geheim"},
            "qom-set path=/objects/s property=data value=***",
        ),
        ("qom-set", {"path": "/m", "property": "x", "value": 1}, "qom-set path=/m property=x value=1"),
        ("send-key", {"keys": [{"type": "qcode", "data": "g"}]}, "send-key ***"),
        ("input-send-event", {"events": []}, "input-send-event ***"),
        (HMP, hmp("sendkey g"), f"{HMP} sendkey ***"),
        (HMP, hmp("sendkey\tg-e-h"), f"{HMP} sendkey ***"),
        (HMP, hmp("qom-set /objects/s data geheim"), f"{HMP} qom-set ***"),
        (HMP, hmp("object_add id=s,qom-type=x, a b c data=geheim"), f"{HMP} object_add ***"),
        (HMP, hmp("drive_add 0 file=http://me:geheim@host/x"), f"{HMP} drive_add 0 file=http://***@host/x"),
        ("blockdev-add", {"url": "https://me:geheim@host/x"}, "blockdev-add url=https://***@host/x"),
        ("blockdev-add", {"file": {"cookie": "geheim"}}, 'blockdev-add file={"cookie":"***"}'),
    ],
)
def test_what_is_shown(command: str, arguments: JsonObject, text: str) -> None:
    assert shown(command, arguments) == text


@settings(max_examples=60)
@given(st.text(max_size=50), st.dictionaries(st.text(max_size=8), st.text(max_size=20), max_size=3))
def test_anything_can_be_judged_and_shown(command: str, arguments: dict[str, str]) -> None:
    given_: JsonObject = dict(arguments)
    assert judge(command, given_).right in Right
    assert printable(shown(command, given_)) == shown(command, given_)
    assert judge(HMP, given_).right in Right and len(shown(HMP, given_)) <= 401
