"""``explain``: the QEMU command line of a manifest, or of a VM, with the reason for every token.

For a file nothing is started, pulled or written; what only a first start decides (UUID, MAC addresses) is made from the
names, so that the answer is always the same.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import uuid
from typing import TYPE_CHECKING, TypeVar

from solovirt.cli.client import EXTENSIONS, path_of
from solovirt.cli.context import Context
from solovirt.cli.kinds import VM, VMI
from solovirt.cli.progress import styled
from solovirt.kit.errors import BadRequest, HostError, Invalid, SolovirtError
from solovirt.kit.jsontypes import get_str
from solovirt.kit.text import printable

if TYPE_CHECKING:
    from solovirt.api.admission import Lookup
    from solovirt.api.kubevirt.virtualmachine import VirtualMachine
    from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
    from solovirt.api.meta import KubeObject
    from solovirt.api.resource import Resource
    from solovirt.cli.manifests import Manifest
    from solovirt.compile.explain import Explanation, Origins
    from solovirt.host.model.bindings import Bindings
    from solovirt.host.model.facts import HostFacts
    from solovirt.kit.errors import Cause
    from solovirt.kit.paths import Paths

EPILOG = """examples:
  solovirt explain -f examples/hello.yaml              needs no daemon and no image
  solovirt explain -f vm.yaml -o argv                  one option a line, for a shell
  solovirt explain -f vm.yaml --facts qemu-7.2         as on another host
  solovirt explain -f vm.yaml -o html > vm.html        a page: manifest and command line side by side
  solovirt explain vm hello                            the machine that runs
"""
FALLBACK_FACTS = "qemu-7.2"
T = TypeVar("T", bound="KubeObject")


def add_arguments(parser: argparse.ArgumentParser, verb: str) -> None:
    parser.epilog = EPILOG
    parser.add_argument("kind", nargs="?", default="", metavar="vm")
    parser.add_argument("name", nargs="?", default="", metavar="NAME")
    parser.add_argument("-f", "--filename", action="append", default=[], metavar="FILE", help="manifest, or -")
    parser.add_argument("-o", "--output", default="table", choices=("table", "argv", "json", "html"))
    parser.add_argument("--facts", default="", metavar="NAME|FILE", help="recorded facts of another host")


def run(args: argparse.Namespace, context: Context, verb: str) -> int:
    if args.filename:
        from solovirt.cli.manifests import hint_of_template, read
        from solovirt.cli.typeobjects import TypeObjects

        every = read(args.filename)
        found = [manifest for manifest in every if is_machine(manifest)]
        if not found:
            hint = next(filter(None, map(hint_of_template, every)), "")
            raise BadRequest("no VirtualMachine or VirtualMachineInstance in these files", hint=hint)
        facts = facts_of(args.facts, context)
        if args.output == "html":
            return _page_of_files(found, facts, context, TypeObjects(every, context))
        return _each(found, facts, args.output, context, every)
    if args.kind not in ("vm", "vms", "virtualmachine") or not args.name:
        raise BadRequest("explain takes -f FILE, or vm NAME")
    from solovirt.compile.explain import Explanation
    from solovirt.kit.json import convert

    path = path_of(EXTENSIONS, "v1", VM.plural, context.namespace, args.name, "explain")
    explanation = convert(context.client.get(path), Explanation)
    if args.output == "html":
        return _page_of_object(explanation, args.name, context)
    show(explanation, args.output)
    return 0


def is_machine(manifest: Manifest) -> bool:
    """Whether it is KubeVirt's VirtualMachine or VirtualMachineInstance, of whatever version."""
    group, _, _ = get_str(manifest.value, "apiVersion").partition("/")
    return group == VM.group and get_str(manifest.value, "kind") in (VM.kind, VMI.kind)


def _each(found: list[Manifest], facts: HostFacts, form: str, context: Context, every: list[Manifest]) -> int:
    """One that is refused does not keep the others from being shown."""
    from solovirt.cli.main import report
    from solovirt.cli.typeobjects import TypeObjects

    failed = 0
    for manifest in found:
        try:
            show(explain_manifest(manifest, facts, context.namespace_option, TypeObjects(every, context)), form)
        except SolovirtError as error:
            if len(found) == 1:
                raise
            sys.stdout.flush()
            kind = get_str(manifest.value, "kind")
            context.note(printable(f'{manifest.source}: {kind} "{manifest.name}" is refused:'))
            report(error)
            failed = 1
    return failed


def _page_of_files(found: list[Manifest], facts: HostFacts, context: Context, objects: Lookup) -> int:
    """Each manifest is shown as its file has it; where there is none (stdin), written anew."""
    from solovirt.cli.explain_page import View, page

    views = []
    for manifest in found:
        text = _text_of(manifest)
        shown, text = (manifest, text) if text is not None else _written(manifest)
        views.append(View(shown.source, text, explain_manifest(shown, facts, context.namespace_option, objects)))
    sys.stdout.write(page(views, title=", ".join(manifest.name for manifest in found)))
    return 0


def _page_of_object(explanation: Explanation, name: str, context: Context) -> int:
    from solovirt.cli.explain_page import View, page, placed
    from solovirt.cli.manifests import Manifest

    value = context.client.get(path_of(VM.group, VM.version, VM.plural, context.namespace, name))
    manifest, text = _written(Manifest(value, f"virtualmachine/{name}", None))
    if manifest.lines is not None:
        explanation = placed(explanation, manifest.lines)
    sys.stdout.write(page([View(manifest.source, text, explanation)], title=name))
    return 0


def _text_of(manifest: Manifest) -> str | None:
    if manifest.lines is None or not os.path.isfile(manifest.source):
        return None
    try:
        with open(manifest.source, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


def _written(manifest: Manifest) -> tuple[Manifest, str]:
    """The manifest as YAML of our own, with the places in it."""
    from solovirt.kit import yaml

    text = yaml.dump(manifest.value)
    (document,) = yaml.load_all(text, source=manifest.source)
    return manifest._replace(lines=document.lines), text


def show(explanation: Explanation, form: str) -> None:
    from solovirt.compile import explain

    if form == "argv":
        text = explain.argv(explanation)
    elif form == "json":
        text = explain.json_text(explanation)
    else:
        text = explain.table(explanation, colour=styled(1))
    sys.stdout.write(text)


def facts_of(name: str, context: Context) -> HostFacts:
    """This host's facts; without a QEMU here, recorded ones, saying so."""
    from solovirt.host import facts
    from solovirt.kit.paths import from_environment

    if name:
        return facts.load(name)
    paths = from_environment()
    try:
        return facts.cached(paths) or _probed(paths)
    except HostError as error:
        context.note(f"note: {error}; explained for the recorded facts {FALLBACK_FACTS!r} instead")
        return facts.load(FALLBACK_FACTS)


def _probed(paths: Paths) -> HostFacts:
    import asyncio

    from solovirt.host import facts

    return asyncio.run(facts.probe(paths))


def explain_manifest(
    manifest: Manifest, facts: HostFacts, namespace: str, objects: Lookup | None = None
) -> Explanation:
    """Decode, default, validate and compile one VirtualMachine or VirtualMachineInstance. Raises what these raise.

    ``objects`` has its instancetype and preference; without, they are those that solovirt brings.
    """
    from solovirt.api import registry
    from solovirt.api.decode import decode
    from solovirt.cli.manifests import placed, unknown_kind

    api_version = get_str(manifest.value, "apiVersion")
    resource = registry.by_kind(api_version, get_str(manifest.value, "kind"))
    if resource is None:
        raise unknown_kind(manifest)
    decoded = decode(_as_written(resource, api_version), manifest.value, lines=manifest.lines)
    _note(decoded.warnings)
    _note(resource.warn(decoded.object))
    try:
        return _explained(decoded.object, manifest, facts, namespace, objects)
    except SolovirtError as error:
        placed(error, manifest)
        raise


def _explained(
    obj: KubeObject, manifest: Manifest, facts: HostFacts, namespace: str, objects: Lookup | None
) -> Explanation:
    from solovirt.api import registry
    from solovirt.api.kubevirt.virtualmachine import VirtualMachine
    from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
    from solovirt.cli.typeobjects import TypeObjects
    from solovirt.compile.explain import explain
    from solovirt.compile.plan import compile_machine

    # A dump of an object that was being deleted makes a new one.
    obj.metadata.deletion_timestamp = None
    if isinstance(obj, VirtualMachine):
        prefix, vmi, origins = "spec.template.spec", *_instance_of(obj, objects or TypeObjects())
    else:
        assert isinstance(obj, VirtualMachineInstance), "no other kind is explained (is_machine)"
        prefix, vmi, origins = "spec", obj, {}
        vmi.status = type(vmi.status)()
    vmi.metadata.namespace = vmi.metadata.namespace or namespace or "default"
    _identify(vmi)
    registry.VIRTUAL_MACHINE_INSTANCES.default(vmi)
    if prefix == "spec":
        _refuse(registry.VIRTUAL_MACHINE_INSTANCES.validate(vmi, None))
    machine = compile_machine(vmi.spec, facts, _bindings(vmi, facts), prefix=prefix)
    return explain(machine, prefix=prefix, lines=manifest.lines, source=manifest.source, origins=origins)


def _as_written(resource: Resource[T], api_version: str) -> Resource[T]:
    """The kind in the version that a manifest is written in."""
    return resource if api_version == resource.api_version else resource.at(api_version.rpartition("/")[2])


def _note(warnings: list[str]) -> None:
    for text in warnings:
        print(f"note: {text}", file=sys.stderr)


def _instance_of(vm: VirtualMachine, objects: Lookup) -> tuple[VirtualMachineInstance, Origins]:
    """The VMI that the VM would get, and what its instancetype and preference filled in."""
    from solovirt.api import registry
    from solovirt.api.instancetype import admission
    from solovirt.api.instancetype.expand import template_of
    from solovirt.api.instancetype.find import types_of
    from solovirt.api.instancetype.origins import origins
    from solovirt.api.kubevirt.virtualmachineinstance import VirtualMachineInstance
    from solovirt.api.meta import ObjectMeta

    vmi = VirtualMachineInstance(
        metadata=ObjectMeta(
            name=vm.metadata.name,
            namespace=vm.metadata.namespace,
            annotations=vm.spec.template.metadata.annotations,
        ),
        spec=vm.spec.template.spec,
    )
    _identify(vmi)
    admission.mutate(vm, None, objects)
    registry.VIRTUAL_MACHINES.default(vm)
    expanded = admission.expand(vm, objects)
    _refuse([*expanded.causes, *registry.VIRTUAL_MACHINES.validate(expanded.object, None)])
    types = types_of(vm, objects)
    template, _ = template_of(vm, types)
    vmi.spec, vmi.metadata.annotations = template.spec, template.metadata.annotations
    return vmi, origins(vm, types)


def _refuse(causes: list[Cause]) -> None:
    if causes:
        raise Invalid(", ".join(cause.message for cause in causes), causes=causes)


def _identify(vmi: VirtualMachineInstance) -> None:
    """The UUID and serial that a real start would choose at random."""
    from solovirt.api.kubevirt.spec.firmware import Firmware

    firmware = vmi.spec.domain.firmware or Firmware()
    vmi.spec.domain.firmware = firmware
    key = f"{vmi.metadata.namespace}/{vmi.metadata.name}"
    firmware.uuid = firmware.uuid or str(uuid.uuid5(uuid.NAMESPACE_OID, key))
    firmware.serial = firmware.serial or str(uuid.uuid5(uuid.NAMESPACE_OID, key + "/serial"))


def _bindings(vmi: VirtualMachineInstance, facts: HostFacts) -> Bindings:
    from solovirt.host import network, planning, vsock
    from solovirt.host.devices import HostDevices
    from solovirt.host.model.bindings import Pins
    from solovirt.kit.paths import from_environment

    paths = from_environment()
    uid = vmi.metadata.uid or vmi.metadata.name
    firmware = vmi.spec.domain.firmware
    macs = {
        i.name: i.mac_address or placeholder_mac(f"{vmi.metadata.namespace}/{vmi.metadata.name}/{i.name}")
        for i in vmi.spec.domain.devices.interfaces
    }
    return planning.planned(
        vmi,
        facts,
        paths,
        key=uid,
        pins=Pins(uuid=firmware.uuid if firmware else "", serial=firmware.serial if firmware else "", macs=macs),
        networks=network.bind(vmi, directory=str(paths.sockets(uid))),
        host_devices=HostDevices(paths.state).resolve(vmi.spec),
        vsock_cid=vsock.FIRST_CID,
    )


def placeholder_mac(key: str) -> str:
    """A locally administered address made from a name."""
    digest = hashlib.sha256(key.encode()).digest()
    return ":".join(f"{byte:02x}" for byte in (0x02, *digest[:5]))
