from __future__ import annotations

from solovirt.translate.parts import Parts
from solovirt.translate.words import parse


def test_parts_are_found_by_their_names() -> None:
    words = "-blockdev driver=raw,node-name=n,file=f -drive id=d,file=x -netdev user,id=u -chardev null,id=c"
    words += " -object iothread,id=o -tpmdev emulator,id=t,chardev=c -device virtio-blk-pci,drive=n -S"
    _, flags = parse(words.split())
    parts = Parts.of(flags)
    tables = (parts.nodes, parts.drives, parts.netdevs, parts.chardevs, parts.objects, parts.tpmdevs)
    assert [list(table) for table in tables] == [["n"], ["d"], ["u"], ["c"], ["o"], ["t"]]
    assert [flag.head for flag in parts.devices("virtio-blk-pci")] == ["virtio-blk-pci"]
    assert parts.has("S") and not parts.has("vnc")
    parts.use(parts.nodes["n"], None)
    assert parts.is_used(parts.nodes["n"]) and not parts.is_used(parts.drives["d"])
