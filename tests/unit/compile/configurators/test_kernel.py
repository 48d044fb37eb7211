"""Kernel boot."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import kernel
from solovirt.host.model.bindings import KernelBinding
from solovirt.kit.errors import HostError, Invalid
from tests.unit.compile.helpers import run

TEXT = "domain: {{firmware: {{kernelBoot: {{{}}}}}}}"
CONTAINER = "container: {image: a, kernelPath: /k, initrdPath: /i}"
BOUND = KernelBinding("/images/k,1", "/images/i")


def test_none() -> None:
    assert run(kernel.options) == []
    assert run(kernel.options, TEXT.format("")) == []


def test_words_are_verbatim() -> None:
    text = TEXT.format(f'{CONTAINER}, kernelArgs: "a=b,c quiet"')
    assert run(kernel.options, text, kernel=BOUND) == [
        "-kernel /images/k,1",
        "-initrd /images/i",
        "-append a=b,c quiet",
    ]


def test_kernel_alone() -> None:
    assert run(kernel.options, TEXT.format(CONTAINER), kernel=KernelBinding("/k")) == ["-kernel /k"]


@pytest.mark.parametrize("rest", ["", ", container: {image: a, initrdPath: /i}"])
def test_arguments_need_a_kernel(rest: str) -> None:
    with pytest.raises(Invalid, match="need a kernel"):
        run(kernel.options, TEXT.format(f"kernelArgs: quiet{rest}"), kernel=BOUND)


def test_unresolved() -> None:
    with pytest.raises(HostError, match="has not been resolved"):
        run(kernel.options, TEXT.format(CONTAINER))
