from __future__ import annotations

import pytest

from solovirt.kit.jsontypes import Json, JsonObject
from tests.support.apiserver import Answer, FakeApi
from tests.unit.cli.conftest import Run

SUB = "/apis/subresources.kubevirt.io/v1/namespaces/default/"
OWN = "/apis/subresources.solovirt.io/v1/namespaces/default/"
DVS = "/apis/cdi.kubevirt.io/v1beta1/namespaces/default/datavolumes/"
CLAIMS = "/api/v1/namespaces/default/persistentvolumeclaims/"
VMIS = "/apis/kubevirt.io/v1/namespaces/default/virtualmachineinstances"
GONE = Answer({"reason": "NotFound", "message": "not found"}, 404)
CLAIM: JsonObject = {"persistentVolumeClaim": {"claimName": "v", "hotpluggable": True}}


@pytest.fixture
def claim(api: FakeApi) -> FakeApi:
    """There is a claim of the name, and no DataVolume."""
    api.on("GET", DVS + "v", GONE)
    api.on("GET", CLAIMS + "v", Answer({"metadata": {"name": "v"}}))
    return api


def sent(api: FakeApi) -> JsonObject:
    body = next(request.body for request in reversed(api.requests) if request.method == "PUT")
    assert isinstance(body, dict)
    return body


def vmi(*found: JsonObject, spec: JsonObject | None = None) -> JsonObject:
    volumes: list[Json] = list(found)
    return {"metadata": {"name": "a"}, "spec": spec or {}, "status": {"volumeStatus": volumes}}


def listed(*items: JsonObject) -> Answer:
    return Answer({"metadata": {"resourceVersion": "7"}, "items": list(items)})


@pytest.mark.parametrize(
    ("words", "disk"),
    [
        ((), {"name": "", "disk": {"bus": "scsi"}, "serial": "v"}),
        (("--bus=virtio", "--persist"), {"name": "", "disk": {"bus": "virtio"}, "serial": "v"}),
        (("--disk-type=lun", "--serial=s"), {"name": "", "lun": {"bus": "scsi"}, "serial": "s"}),
        (("--cache=none",), {"name": "", "disk": {"bus": "scsi"}, "serial": "v", "cache": "none"}),
    ],
)
def test_addvolume(claim: FakeApi, run: Run, words: tuple[str, ...], disk: JsonObject) -> None:
    claim.on("PUT", SUB + "virtualmachines/a/addvolume", Answer(None, 202))
    result = run("addvolume", "a", "--volume-name=v", *words)
    assert result.out == "Successfully submitted add volume request to VM a for volume v\n"
    assert sent(claim) == {"name": "v", "disk": disk, "volumeSource": CLAIM}


def test_a_data_volume_and_another_name(api: FakeApi, run: Run) -> None:
    api.on("GET", DVS + "v", Answer({}))
    api.on("PUT", SUB + "virtualmachines/a/addvolume", Answer(None, 202))
    assert run("addvolume", "a", "--volume-name=v", "--disk-name=d", "--dry-run").code == 0
    body = sent(api)
    assert (body["name"], body["volumeSource"]) == ("d", {"dataVolume": {"name": "v", "hotpluggable": True}})
    assert body["dryRun"] == ["All"]


def test_a_lone_instance(claim: FakeApi, run: Run) -> None:
    claim.on("PUT", SUB + "virtualmachines/a/addvolume", GONE)
    claim.on("PUT", SUB + "virtualmachineinstances/a/addvolume", Answer(None, 202))
    assert run("addvolume", "a", "--volume-name=v").code == 0


def test_what_is_refused_here(api: FakeApi, run: Run) -> None:
    api.on("GET", DVS + "v", GONE)
    api.on("GET", CLAIMS + "v", GONE)
    assert "Volume v is not a DataVolume or PersistentVolumeClaim" in run("addvolume", "a", "--volume-name=v").err
    long = "x" * 64
    assert "must not exceed 63 characters" in run("addvolume", "a", f"--volume-name={long}").err
    assert "Invalid bus type 'sata' for disk" in run("addvolume", "a", "--volume-name=v", "--bus=sata").err
    assert (
        "Invalid bus type 'virtio' for lun"
        in run("addvolume", "a", "--volume-name=v", "--bus=virtio", "--disk-type=lun").err
    )
    with pytest.raises(SystemExit):
        run("addvolume", "a")


def test_addvolume_waits_until_the_guest_has_it(claim: FakeApi, run: Run) -> None:
    claim.on("PUT", SUB + "virtualmachines/a/addvolume", Answer(None, 202))
    waiting: JsonObject = {"name": "v", "phase": "Pending", "message": "no slot"}
    info: JsonObject = {"claimName": "v"}
    ready = vmi({"name": "v", "phase": "Ready", "persistentVolumeClaimInfo": info})
    claim.on("GET", VMIS, listed(vmi(waiting)), Answer([{"type": "MODIFIED", "object": ready}]))
    assert run("addvolume", "a", "--volume-name=v", "--wait").code == 0
    claim.on("GET", VMIS, lambda r: Answer([]) if "watch" in r.query else listed(vmi(waiting)))
    err = run("addvolume", "a", "--volume-name=v", "--wait", "--timeout=50ms").err
    assert "volume v of a after 0.05 s: Pending: no slot" in err
    claim.on("GET", VMIS, listed())
    assert "does not run" in run("addvolume", "a", "--volume-name=v", "--wait").err


def test_removevolume(api: FakeApi, run: Run) -> None:
    """By the claim's name, too: what is waited for is the volume."""
    spec: JsonObject = {"volumes": [{"name": "d", **CLAIM}]}
    api.on("GET", VMIS + "/a", Answer(vmi(spec=spec)))
    api.on("PUT", SUB + "virtualmachines/a/removevolume", Answer(None, 202))
    leaving = vmi({"name": "d", "phase": "Detaching"})
    changes: list[Json] = [{"type": "MODIFIED", "object": one} for one in (leaving, vmi())]
    api.on("GET", VMIS, listed(vmi(spec=spec)), Answer(changes))
    result = run("removevolume", "a", "--volume-name=v", "--wait")
    assert result.out == "Successfully submitted remove volume request to VM a for volume v\n"
    assert sent(api) == {"name": "v"}


def test_cdrom(claim: FakeApi, run: Run) -> None:
    claim.on("PUT", OWN + "virtualmachines/a/medium", Answer(None, 202))
    assert "v is put into drive cd of VM a" in run("cdrom", "insert", "a", "cd", "--volume=v").out
    assert sent(claim) == {"disk": "cd", "volumeSource": CLAIM}
    claim.on("GET", VMIS, listed(vmi()))
    assert "the medium is taken out of drive cd" in run("cdrom", "eject", "a", "cd", "--wait").out
    assert sent(claim) == {"disk": "cd"}
    assert "insert needs --volume-name" in run("cdrom", "insert", "a", "cd").err
    assert "takes no --volume-name" in run("cdrom", "eject", "a", "cd", "--volume=v").err
