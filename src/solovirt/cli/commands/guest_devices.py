"""``guest interfaces``, ``disks``, ``fs``: the guest's own view of its devices."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from solovirt.cli import guestagent
from solovirt.cli.context import Context
from solovirt.cli.guestagent import ask, number, objects, show, size, whole, yes
from solovirt.kit.jsontypes import JsonObject, get_list, get_object, get_str

COMMANDS = {
    "interfaces": "guest-network-get-interfaces",
    "disks": "guest-get-disks",
    "fs": "guest-get-fsinfo",
}
EXAMPLES = {
    "interfaces": """examples:
  solovirt guest interfaces hello
  solovirt guest interfaces hello -o json     with all counters
""",
    "disks": """examples:
  solovirt guest disks hello                  whole disks and partitions
  solovirt guest disks hello -o json          with SMART data of NVMe disks

ADDRESS is the PCI address of the disk's controller, then bus:target:unit. It is empty where the guest cannot tell.
""",
    "fs": "examples:\n  solovirt guest fs hello                     what is mounted, and how full it is\n",
}


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EXAMPLES[verb.rpartition(" ")[2]]
    guestagent.add_name(parser)
    guestagent.add_output(parser)


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    what = verb.rpartition(" ")[2]
    command = COMMANDS[what]
    found = objects(command, ask(context, args.name, command))
    found.sort(key=lambda item: get_str(item, "mountpoint" if what == "fs" else "name"))
    header, row = TABLES[what]
    show(args.output, [*found], header, [row(one) for one in found])
    return 0


def _interface(one: JsonObject) -> tuple[str, ...]:
    addresses = [
        f"{get_str(ip, 'ip-address')}/{number(ip, 'prefix')}".rstrip("/")
        for ip in get_list(one, "ip-addresses")
        if isinstance(ip, dict)
    ]
    counted = get_object(one, "statistics")
    errors = [value for key in ("rx-errs", "tx-errs") if (value := whole(counted, key)) is not None]
    return (
        get_str(one, "name"),
        get_str(one, "hardware-address"),
        ",".join(addresses),
        size(whole(counted, "rx-bytes")),
        size(whole(counted, "tx-bytes")),
        str(sum(errors)) if errors else "",
    )


def _disk(one: JsonObject) -> tuple[str, ...]:
    address = get_object(one, "address")
    alias = get_str(one, "alias")
    depends = [text for text in get_list(one, "dependencies") if isinstance(text, str)]
    return (
        get_str(one, "name") + (f" ({alias})" if alias else ""),
        yes(one.get("partition")),
        get_str(address, "bus-type"),
        _address(address),
        get_str(address, "serial"),
        ",".join(depends),
    )


def _address(address: JsonObject) -> str:
    """``0000:01:00.0 0:0:1``; agents write -1 for what they do not know."""
    controller = get_object(address, "pci-controller")
    pci = [whole(controller, key) for key in ("domain", "bus", "slot", "function")]
    where = [whole(address, key) for key in ("bus", "target", "unit")]
    parts: list[str] = []
    if all(value is not None and value >= 0 for value in pci):
        domain, bus, slot, function = (value or 0 for value in pci)
        parts.append(f"{domain:04x}:{bus:02x}:{slot:02x}.{function:x}")
    if any(value is not None and value > 0 for value in where):
        parts.append(":".join("-" if value is None or value < 0 else str(value) for value in where))
    return " ".join(parts)


def _filesystem(one: JsonObject) -> tuple[str, ...]:
    used, total = whole(one, "used-bytes"), whole(one, "total-bytes")
    full = f"{100 * used / total:.0f}%" if used is not None and total else ""
    disks = [
        get_str(disk, "dev") or get_str(disk, "serial") or get_str(disk, "bus-type")
        for disk in get_list(one, "disk")
        if isinstance(disk, dict)
    ]
    return (
        get_str(one, "mountpoint"),
        get_str(one, "name"),
        get_str(one, "type"),
        size(total),
        size(used),
        full,
        ",".join(disk for disk in disks if disk),
    )


TABLES: dict[str, tuple[tuple[str, ...], Callable[[JsonObject], tuple[str, ...]]]] = {
    "interfaces": (("NAME", "MAC", "ADDRESSES", "RECEIVED", "SENT", "ERRORS"), _interface),
    "disks": (("NAME", "PARTITION", "BUS", "ADDRESS", "SERIAL", "DEPENDS-ON"), _disk),
    "fs": (("MOUNTED-ON", "NAME", "TYPE", "SIZE", "USED", "USE%", "DISKS"), _filesystem),
}
