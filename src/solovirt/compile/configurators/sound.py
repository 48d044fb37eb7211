"""A sound card. What the guest plays is heard nowhere: it is there for guests that want one.

Source: QEMU hw/audio/intel-hda.c, hw/audio/ac97.c.
"""

from __future__ import annotations

from collections.abc import Iterator

from solovirt.compile.configurators.graphics import AUDIO, audio_backend
from solovirt.compile.context import Context, device_id
from solovirt.compile.layout import Endpoint
from solovirt.compile.options import JsonValue, Option, Prop
from solovirt.compile.problems import invalid
from solovirt.compile.reasons import default, manifest, needs

PATH = "domain.devices.sound"
MODELS = {"ich9": "ich9-intel-hda", "ac97": "AC97"}
DEFAULT_MODEL = "ich9"


def options(ctx: Context) -> Iterator[Option]:
    sound = ctx.devices.sound
    if sound is None:
        return
    path = f"{PATH}.model"
    model = sound.model or DEFAULT_MODEL
    if model not in MODELS:
        raise invalid(path, f'sound model "{model}" is not supported', hint="one of " + ", ".join(MODELS))
    if ctx.devices.autoattach_graphics_device is False:
        yield audio_backend()
    text = f"sound card {model}"
    why = manifest(path, text) if sound.model else default(f"{text}, KubeVirt's default", path)
    name = device_id(sound.name)
    silent = needs("what is played goes nowhere")
    backend = Prop("audiodev", AUDIO, silent)
    card = [
        Prop("driver", MODELS[model], why),
        Prop("id", name, needs("ua- and the manifest's name", f"{PATH}.name")),
        *ctx.layout.place(name).props(),
    ]
    yield Option("-device", JsonValue((*card, backend) if model == "ac97" else tuple(card)), why)
    if model == "ich9":
        codec = needs("the card plays and records through a codec")
        props = (
            Prop("driver", "hda-duplex", codec),
            Prop("id", f"{name}-codec0", needs("name of the device for QMP")),
            Prop("bus", f"{name}.0", needs("the card's own bus")),
            Prop("cad", 0, needs("the first place on that bus")),
            backend,
        )
        yield Option("-device", JsonValue(props), codec)


def endpoints(ctx: Context) -> Iterator[Endpoint]:
    sound = ctx.devices.sound
    if sound is not None:
        yield Endpoint(device_id(sound.name), "legacy" if sound.model == "ac97" else "root", field=PATH, fixed=True)
