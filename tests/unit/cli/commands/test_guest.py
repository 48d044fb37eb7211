from __future__ import annotations

import pytest

from solovirt.cli.commands.guest import VERBS
from solovirt.cli.main import main


@pytest.mark.parametrize("words", [["guest"], ["guest", "-n", "lab"], ["guest", "--help"], ["help", "guest"]])
def test_without_a_verb_there_is_the_list(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == (0 if {"help", "--help"} & set(words) else 2)
    out = capsys.readouterr().out
    assert "usage: solovirt guest VERB NAME" in out
    assert all(f"  {verb} " in out for verb in VERBS)


def test_an_unknown_verb_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guest", "freez", "x"]) == 2
    assert "unknown command 'guest freez'; did you mean 'freeze'?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_examples(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["help", "guest", verb])
    assert caught.value.code == 0
    out = capsys.readouterr().out
    assert f"usage: solovirt guest {verb}" in out
    assert "examples:" in out


def test_options_may_stand_between_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guest", "ssh-keys", "add", "x", "--user", "u", "no key"]) == 1
    assert "KEY is a file or a whole line" in capsys.readouterr().err
