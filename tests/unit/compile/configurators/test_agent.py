"""The agent's channel."""

from __future__ import annotations

from solovirt.compile.configurators import agent
from tests.unit.compile.helpers import context, objects, run


def test_agent() -> None:
    assert run(agent.options)[0] == (
        "-chardev socket,id=charchannel0,path=/run/solovirt/vmi/test/agent.sock,server=on,wait=off"
    )
    (port,) = objects(agent.options(context()))
    assert (port["name"], port["bus"], port["chardev"]) == (
        "org.qemu.guest_agent.0", "virtio-serial0.0", "charchannel0",
    )  # fmt: skip
