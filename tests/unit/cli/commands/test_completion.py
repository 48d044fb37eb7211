from __future__ import annotations

import pytest

from solovirt.cli.commands.completion import quoted, script
from solovirt.cli.main import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_all_commands_are_there(shell: str) -> None:
    text = script(shell)
    assert all(verb in text for verb in COMMANDS)
    assert "{" not in text.replace("{ ", "").replace("${", "").replace("() {", "") or shell != "fish"


def test_quoting() -> None:
    assert quoted("it's") == r"'it\'s'"
