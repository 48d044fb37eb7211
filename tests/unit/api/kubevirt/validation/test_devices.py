import pytest

from solovirt.api.causes import Causes
from solovirt.api.kubevirt.validation.devices import check_count, check_same_names

from ...samples import only, spec_causes

P = "spec.domain.devices"


def test_good_inputs() -> None:
    assert spec_causes({"domain.devices.inputs": [{"name": "tablet", "type": "tablet", "bus": "virtio"}]}) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {"domain.devices.inputs": [{"name": "k", "type": "keyboard"}]},
            f"{P}.inputs[0].type",
            "Input device can have only tablet type.",
        ),
        (
            {"domain.devices.inputs": [{"name": "k", "type": "tablet", "bus": "ps2"}]},
            f"{P}.inputs[0].bus",
            "Input device can have only virtio or usb bus.",
        ),
        ({"domain.devices.inputs": [{"name": "a,b", "type": "tablet"}]}, f"{P}.inputs[0].name", "Invalid value"),
    ],
)
def test_each_problem_is_named(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message
    assert P in cause.message


def test_lists_are_bounded() -> None:
    causes = Causes()
    check_count(causes, range(3), "f", 3)
    assert causes.found == []
    check_count(causes, range(4), "f", 3)
    assert causes.found[0].message == "f: Too many: 4: must have at most 3 items"


def test_every_repeated_name_points_to_the_first() -> None:
    causes = Causes()
    check_same_names(causes, ["a", "b", "a", "a"], "f")
    assert [cause.message for cause in causes.found] == [
        "f[2] and f[0] must not have the same Name.",
        "f[3] and f[0] must not have the same Name.",
    ]


D = "domain.devices"
CLAIMS = {"resourceClaims": [{"name": "c", "resourceClaimName": "c"}]}
RAMFB = {"deviceName": "a/b", "virtualGPUOptions": {"display": {"ramFB": {}}}}


@pytest.mark.parametrize(
    "changes",
    [
        {f"{D}.watchdog": {"name": "dog", "i6300esb": {"action": "poweroff"}}},
        {f"{D}.video": {"type": "bochs"}, f"{D}.sound": {"name": "card", "model": "ac97"}},
        {f"{D}.panicDevices": [{}, {"model": "hyperv"}, {"model": "pvpanic"}]},
        {f"{D}.gpus": [{"name": "g", "deviceName": "nvidia.com/T4", "tag": "x"}, {"name": "h", **RAMFB}]},
        {f"{D}.hostDevices": [{"name": "h", "claimName": "c", "requestName": "r"}], **CLAIMS},
        {f"{D}.autoattachVSOCK": True, f"{D}.clientPassthrough": {}, f"{D}.downwardMetrics": {}},
        {f"{D}.logSerialConsole": False, f"{D}.networkInterfaceMultiqueue": True},
    ],
)
def test_good_devices(changes: dict[str, object]) -> None:
    assert spec_causes(changes) == []


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        (
            {f"{D}.watchdog": {"name": "dog", "diag288": {"action": "reset"}}},
            f"{P}.watchdog",
            "amd64 only supports I6300ESB watchdog device",
        ),
        ({f"{D}.watchdog": {"name": "d", "i6300esb": {"action": "nmi"}}}, f"{P}.watchdog.i6300esb.action", "Unsupp"),
        ({f"{D}.watchdog": {"name": "a,b", "i6300esb": {}}}, f"{P}.watchdog.name", "Invalid value"),
        (
            {f"{D}.video": {"type": "qxl"}},
            f"{P}.video.type",
            "video model 'qxl' is not supported on amd64 architecture",
        ),
        (
            {f"{D}.video": {"type": "vga"}, f"{D}.autoattachGraphicsDevice": False},
            f"{P}.video",
            "Video configuration is not allowed when autoattachGraphicsDevice is set to false",
        ),
        (
            {f"{D}.sound": {"name": "card", "model": "sb16"}},
            f"{P}.sound.model",
            "Sound device type is not supported. Options: 'ich9' or 'ac97'",
        ),
        ({f"{D}.sound": {"name": ""}}, f"{P}.sound.name", "Sound device requires a name field."),
        ({f"{D}.panicDevices": [{"model": "x"}]}, f"{P}.panicDevices[0].model", "invalid PanicDeviceModel(x)"),
        ({f"{D}.panicDevices": [{}, {"model": "isa"}]}, f"{P}.panicDevices[1].model", "Duplicate value"),
        ({f"{D}.gpus": [{"name": "g"}]}, f"{P}.gpus[0]", "each GPU must specify either a deviceName or a claimRequest"),
        (
            {f"{D}.hostDevices": [{"name": "h", "deviceName": "a", "claimName": "c", "requestName": "r"}], **CLAIMS},
            f"{P}.hostDevices[0]",
            "contains HostDevices with both deviceName and claimRequest",
        ),
        (
            {f"{D}.gpus": [{"name": "g", "claimName": "c"}], **CLAIMS},
            f"{P}.gpus[0].requestName",
            "requestName is required for DRA GPU",
        ),
        (
            {f"{D}.gpus": [{"name": "g", "claimName": "c", "requestName": "r"}]},
            "spec.resourceClaims",
            "must specify all claims used in",
        ),
        (
            {
                f"{D}.gpus": [{"name": "g", "claimName": "c", "requestName": "r"}],
                f"{D}.hostDevices": [{"name": "h", "claimName": "c", "requestName": "r"}],
                **CLAIMS,
            },
            f"{P}.hostDevices[0]",
            'duplicate claimName/requestName pair "c/r"',
        ),
        (
            {
                f"{D}.gpus": [
                    {"name": "g", "claimName": "c", "requestName": "r"},
                    {"name": "h", "deviceName": "a/b"},
                ],
                **CLAIMS,
            },
            f"{P}.gpus",
            "each GPU must be either DRA or non-DRA",
        ),
        (
            {f"{D}.gpus": [{"name": "g", **RAMFB}, {"name": "h", **RAMFB}]},
            f"{P}.gpus",
            "configuring multiple displays with ramfb is not valid",
        ),
        (
            {f"{D}.gpus": [{"name": "g", "deviceName": "a"}], f"{D}.hostDevices": [{"name": "g", "deviceName": "b"}]},
            f"{P}.hostDevices[0].name",
            "must not have the same Name",
        ),
        ({f"{D}.hostDevices": [{"name": "h", "deviceName": "a\nb"}]}, f"{P}.hostDevices[0].deviceName", "control"),
    ],
)
def test_each_device_in_kubevirts_words(changes: dict[str, object], field: str, message: str) -> None:
    cause = only(spec_causes(changes))
    assert cause.field == field and message in cause.message
