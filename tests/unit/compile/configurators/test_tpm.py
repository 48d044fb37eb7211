import msgspec
import pytest

from solovirt.compile.configurators import tpm
from solovirt.kit.errors import HostError
from tests.unit.compile.helpers import context, run


def text(fields: str) -> str:
    return "domain: {devices: {tpm: " + fields + "}}"


@pytest.mark.parametrize(("fields", "model"), [("{}", "tpm-tis"), ("{persistent: true}", "tpm-crb")])
def test_model(fields: str, model: str) -> None:
    assert run(tpm.options, text(fields)) == [
        "-chardev socket,id=chrtpm,path=/run/solovirt/vmi/test/tpm.sock",
        "-tpmdev emulator,id=tpm-tpm0,chardev=chrtpm",
        f'-device {{"driver":"{model}","tpmdev":"tpm-tpm0","id":"tpm0"}}',
    ]


def test_none_or_switched_off() -> None:
    assert run(tpm.options) == []
    assert run(tpm.options, text("{enabled: false, persistent: true}")) == []


def test_a_socket_that_nobody_made() -> None:
    ctx = context(text("{}"))
    bindings = msgspec.structs.replace(ctx.bindings, sockets=msgspec.structs.replace(ctx.bindings.sockets, tpm=""))
    with pytest.raises(HostError, match="socket"):
        list(tpm.options(type(ctx)(ctx.spec, ctx.facts, bindings, ctx.layout)))
