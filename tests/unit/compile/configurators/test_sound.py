"""Sound cards."""

from __future__ import annotations

import pytest

from solovirt.compile.configurators import sound
from solovirt.kit.errors import Invalid
from tests.unit.compile.helpers import context, objects, run


def text(card: str, more: str = "") -> str:
    return f"domain: {{devices: {{sound: {{name: card, {card}}}{more}}}}}"


def test_ich9_and_its_codec() -> None:
    card, codec = objects(sound.options(context(text(""))))
    assert (card["driver"], card["bus"], card["addr"]) == ("ich9-intel-hda", "pcie.0", "0x1b")
    assert (codec["driver"], codec["bus"], codec["audiodev"]) == ("hda-duplex", "ua-card.0", "audio1")


def test_ac97_sits_on_the_bridge() -> None:
    (card,) = objects(sound.options(context(text("model: ac97"))))
    assert (card["driver"], card["bus"], card["audiodev"]) == ("AC97", "pci-bridge", "audio1")


def test_without_a_display_it_brings_its_own_silence() -> None:
    assert run(sound.options, text("", ", autoattachGraphicsDevice: false"))[0].startswith("-audiodev ")
    assert not run(sound.options, text(""))[0].startswith("-audiodev ")


def test_none_and_unknown() -> None:
    assert run(sound.options) == []
    with pytest.raises(Invalid, match='"sb16" is not supported'):
        run(sound.options, text("model: sb16"))
