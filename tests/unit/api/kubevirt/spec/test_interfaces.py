from __future__ import annotations

import pytest

from solovirt.api.kubevirt.spec.interfaces import Binding, Interface, PluginBinding


@pytest.mark.parametrize(
    ("nic", "names"),
    [
        (Interface(name="a"), []),
        (Interface(name="a", masquerade=Binding()), ["masquerade"]),
        (Interface(name="a", passt_binding=Binding(), sriov=Binding()), ["sriov", "passtBinding"]),
        (Interface(name="a", bridge=Binding(), binding=PluginBinding(name="x")), ["bridge", "binding"]),
        (Interface(name="a", slirp=Binding(), macvtap=Binding(), passt=Binding()), ["slirp", "macvtap", "passt"]),
    ],
)
def test_bindings_are_named_as_in_the_manifest(nic: Interface, names: list[str]) -> None:
    assert nic.bindings() == names
