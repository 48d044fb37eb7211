from __future__ import annotations

import pytest

from solovirt.cli.commands.completion import SCRIPTS
from solovirt.cli.main import main
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_script_asks_us(shell: str, run: Run) -> None:
    result = run("completion", shell)
    assert (result.code, result.out) == (0, SCRIPTS[shell])
    assert "solovirt __complete -- " in result.out


def test_other_shells(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["completion", "tcsh"])
    assert "'bash', 'zsh', 'fish'" in capsys.readouterr().err
