"""Secrets go where they belong (a seed, an ACPI table, a guest's agent, a registry) and nowhere else.

Values that nobody could overlook are planted wherever a manifest takes a secret; then everything that anybody may see
is searched for them: command lines of all processes, logs, events, status, explanations, records, files.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from solovirt.controllers.vmi.records import EXPLAIN
from solovirt.host.tiny.build import TinyImage
from solovirt.kit.jsontypes import Json, JsonObject
from tests.real.host import registry as registries
from tests.support import system as systems
from tests.support.manifests import data_volume, disk, secret, tiny_disk, tiny_kernel, vm
from tests.support.system import DATA_VOLUMES, VMIS, System, wait_until
from tests.unit.host.images.fakes import raw_disk, tar
from tests.unit.host.volumes.web import Answer, serving

pytestmark = pytest.mark.real

WORDS = ("cloud", "key", "password", "slic", "volume", "sysprep", "header", "query", "wrong", "torn")
PLANTED = {word: f"s3cr3t-{word}-{number}9f1c" for number, word in enumerate(WORDS)}
"""What is secret -> the value."""
NEEDLES = [*(value.encode() for value in PLANTED.values()), registries.PASSWORD.encode()]
NEEDLES += [base64.b64encode(shift + value)[4:-4] for value in NEEDLES[:] for shift in (b"", b"x", b"xy")]
"""Also as base64, at each of its three places."""


def found_in(data: bytes) -> list[bytes]:
    return [needle for needle in NEEDLES if needle in data]


class Watch:
    """Every command line of this host while it is open; ``seen`` has those with a secret."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.looked = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._stop.wait(0.02):
            self.looked += 1
            for entry in os.scandir("/proc"):
                if entry.name.isdigit() and int(entry.name) != os.getpid():
                    with contextlib.suppress(OSError):
                        line = Path(entry.path, "cmdline").read_bytes()
                        if found_in(line):
                            self.seen.add(line)


@pytest.fixture
def protected(tmp_path: Path) -> Iterator[registries.RealRegistry]:
    with registries.serving(tmp_path / "registry", protected=True) as server:
        server.push("private/disk:1", tar(("disk/disk.img", raw_disk())))
        yield server


def login(name: str, host: str, password: str) -> JsonObject:
    pair = base64.b64encode(f"{registries.USER}:{password}".encode()).decode()
    return secret(name, {".dockerconfigjson": json.dumps({"auths": {host: {"auth": pair}}})})


def planted(host: str) -> list[JsonObject | str]:
    table = b"SLIC".ljust(40, b"\0") + PLANTED["slic"].encode()
    user_data = f"#!/bin/sh\nvalue={PLANTED['cloud']}\ntest -n $value\n"
    slic = secret("slic", {})
    slic["data"] = {"slic.bin": base64.b64encode(table).decode()}
    return [
        secret("seed", {"userdata": user_data}),
        secret("keys", {"key": f"ssh-ed25519 AAAA {PLANTED['key']}"}),
        secret("users", {"root": PLANTED["password"]}),
        secret("token", {"token": PLANTED["volume"]}),
        secret("answers", {"unattend.xml": f"<Password>{PLANTED['sysprep']}</Password>"}),
        slic,
        login("registry", host, registries.PASSWORD),
        login("mistaken", host, PLANTED["wrong"]),
        secret("torn", {".dockerconfigjson": f'{{"auths": "{PLANTED["torn"]}'}),
    ]


def keeper(reference: str) -> JsonObject:
    """A machine with a secret in every place."""
    volumes: list[Json] = [
        {"name": "seed", "cloudInitNoCloud": {"secretRef": {"name": "seed"}}},
        {"name": "token", "secret": {"secretName": "token"}},
        {"name": "answers", "sysprep": {"secret": {"name": "answers"}}},
        {"name": "slic", "secret": {"secretName": "slic"}},
        {"name": "pulled", "containerDisk": {"image": reference, "imagePullSecret": "registry"}},
        {"name": "fetched", "dataVolume": {"name": "fetched"}},
    ]
    names = ("seed", "token", "answers", "slic", "pulled", "fetched")
    agent: JsonObject = {"qemuGuestAgent": {}}
    credentials: list[Json] = [
        {"userPassword": {"source": {"secret": {"secretName": "users"}}, "propagationMethod": agent}},
        {
            "sshPublicKey": {
                "source": {"secret": {"secretName": "keys"}},
                "propagationMethod": {"qemuGuestAgent": {"users": ["root"]}},
            }
        },
        {"sshPublicKey": {"source": {"secret": {"secretName": "keys"}}, "propagationMethod": {"noCloud": {}}}},
    ]
    firmware = {**tiny_kernel(), "acpi": {"slicNameRef": "slic"}}
    template: JsonObject = {"accessCredentials": credentials}
    disks = [disk(name) for name in names]
    return vm("keeper", disks=disks, volumes=volumes, domain={"firmware": firmware}, template=template)


def failing(name: str, reference: str, pull_secret: str) -> JsonObject:
    volumes: list[Json] = [{"name": "root", "containerDisk": {"image": reference, "imagePullSecret": pull_secret}}]
    return vm(name, memory="32Mi", disks=[disk("root")], volumes=volumes)


def in_database(system: System) -> list[str]:
    """Objects other than those that were given the secrets, and all records."""
    found: list[str] = []
    with contextlib.closing(sqlite3.connect(f"file:{system.state / 'solovirt.db'}?mode=ro", uri=True)) as database:
        for kind, name, data in database.execute("SELECT kind, name, data FROM objects"):
            if "secret" not in kind.lower() and "datavolume" not in kind.lower() and found_in(bytes(data)):
                found.append(f"{kind} {name}")
        for kind, key, value in database.execute("SELECT kind, key, value FROM records"):
            plain = zlib.decompress(value) if kind == EXPLAIN else bytes(value)
            if found_in(plain):
                found.append(f"record {kind} {key}")
        assert database.execute("SELECT count(*) FROM records WHERE kind = ?", (EXPLAIN,)).fetchone()[0] >= 1
    return found


def holding(system: System) -> dict[str, int]:
    """Files with a secret in them, by name, besides the database, with their mode."""
    found: dict[str, int] = {}
    for root in (system.state, system.runtime):
        for path in root.rglob("*"):
            if not path.is_file() or path.is_symlink() or path.name.startswith("solovirt.db"):
                continue
            if path.stat().st_size < 8 << 20 and found_in(path.read_bytes()):
                found[path.name] = path.stat().st_mode & 0o777
    return found


def shown(system: System) -> dict[str, str]:
    """What commands tell: explanations, tables, descriptions, status."""
    fetched = system.find(DATA_VOLUMES, "fetched") or {}
    denied = system.find(DATA_VOLUMES, "denied") or {}
    return {
        "explain": system.ok("explain", "vm", "keeper"),
        "explain -o json": system.ok("explain", "vm", "keeper", "-o", "json"),
        "vm": system.ok("get", "vm", "-o", "yaml"),
        "vmi": system.ok("get", "vmi", "-o", "yaml"),
        "events": system.ok("get", "events", "-o", "yaml"),
        "describe": system.ok("describe", "vmi", "keeper") + system.ok("describe", "vm", "keeper"),
        "secrets": system.ok("get", "secrets") + system.ok("describe", "secret", "seed"),
        "dv": system.ok("get", "dv") + json.dumps([fetched.get("status"), denied.get("status")]),
        "log": system.daemon_log(),
        "logs": system.ok("logs", "keeper"),
    }


def wait_pull_failed(system: System, name: str) -> None:
    expected = ("ErrImagePull", "ImagePullBackOff")
    wait_until(lambda: system.printable(name) in expected, 60, lambda: system.about(name))


def test_secrets_are_nowhere_else(tiny: TinyImage, protected: registries.RealRegistry) -> None:
    reference = f"{protected.address}/private/disk:1"
    header: Json = f"Authorization: Bearer {PLANTED['header']}"
    with systems.running(tiny=tiny) as system, serving() as web, Watch() as watch:
        path = f"/d?signature={PLANTED['query']}"
        web.answers[path] = Answer(bytes(1 << 20))
        sources: list[JsonObject] = [{"url": web.url + path, "extraHeaders": [header]} for _ in range(2)]
        sources[1]["url"] = f"{web.url}/missing?signature={PLANTED['query']}"
        system.apply(*planted(protected.address))
        system.apply(
            data_volume("fetched", {"http": sources[0]}, "4Mi"),
            data_volume("denied", {"http": sources[1]}, "4Mi"),
            failing("mistaken", reference, "mistaken"),
            failing("torn", reference, "torn"),
            vm("plain", memory="32Mi", disks=[disk("root")], volumes=[tiny_disk()], strategy="Halted"),
        )
        for name in ("mistaken", "torn"):
            wait_pull_failed(system, name)
        wait_until(lambda: "404" in system.ok("describe", "dv", "denied"), 60, lambda: system.about("denied"))
        system.apply(keeper(reference))
        system.wait_agent("keeper")
        wait_until(lambda: system.condition(VMIS, "keeper", "AccessCredentialsSynchronized"), 60, "credentials told")
        system.wait_seed_script("keeper")
        check_arrived(system, web.headers)
        assert {name: found for name, text in shown(system).items() if (found := found_in(text.encode()))} == {}
        system.stop()
        assert in_database(system) == []
        system.start()
        held = holding(system)
        assert set(held) == {"seed.iso", "token.iso", "answers.iso", "slic.iso", "slic.bin"}
        assert {mode & 0o077 for mode in held.values()} <= {0, 0o040}, held
        qemu = Path(f"/proc/{system.qemu('keeper')}")
        assert found_in((qemu / "cmdline").read_bytes() + (qemu / "environ").read_bytes()) == []
        system.check_clean()
        assert holding(system) == {}, "gone with the machine"
    assert watch.seen == set() and watch.looked > 10


def check_arrived(system: System, headers: list[dict[str, str]]) -> None:
    """A secret that went nowhere at all would be found nowhere, too."""
    assert headers[0]["authorization"].endswith(PLANTED["header"])
    sh = lambda script: system.sh("keeper", script)  # noqa: E731
    assert sh("mount -t iso9660 -o ro /dev/vdb /mnt && cat /mnt/token; umount /mnt") == PLANTED["volume"]
    assert sh("tail -c 14 /sys/firmware/acpi/tables/SLIC")[-len("9f1c") :] == "9f1c"
    assert PLANTED["key"] in sh("mount -t iso9660 -o ro /dev/vda /mnt && cat /mnt/meta-data; umount /mnt")
