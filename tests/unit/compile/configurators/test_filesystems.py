import msgspec
import pytest

from solovirt.compile.configurators import filesystems
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import context, objects, run

TWO = """
domain: {devices: {filesystems: [{name: config, virtiofs: {}}, {name: data, virtiofs: {}}]}}
volumes:
- {name: config, configMap: {name: c}}
- {name: data, persistentVolumeClaim: {claimName: d}}
"""


def test_each_has_a_socket_a_tag_and_a_slot() -> None:
    devices = objects(filesystems.options(context(TWO)))
    assert [(device["chardev"], device["tag"], device["queue-size"]) for device in devices] == [
        ("chr-vu-fs-config", "config", 1024),
        ("chr-vu-fs-data", "data", 1024),
    ]
    assert len({str(device["bus"]) for device in devices}) == 2
    sockets = [line for line in run(filesystems.options, TWO) if line.startswith("-chardev")]
    assert sockets[1] == "-chardev socket,id=chr-vu-fs-data,path=/run/solovirt/vmi/test/fs1.sock"


def test_none() -> None:
    assert run(filesystems.options) == []


def test_a_name_that_no_guest_could_mount() -> None:
    long = "a" * 37
    text = TWO.replace("name: config", f"name: {long}")
    with pytest.raises(Invalid, match="36 bytes"):
        run(filesystems.options, text)


def test_a_directory_that_nobody_resolved() -> None:
    ctx = context(TWO)
    bare = msgspec.structs.replace(ctx.bindings, filesystems={})
    with pytest.raises(HostError, match='"config" has not been resolved'):
        list(filesystems.options(type(ctx)(ctx.spec, ctx.facts, bare, ctx.layout)))
