"""A command line that cannot be read is answered by the fault and where the right words are."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command

from striate.cli.main import app, outcome


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["trase"], "'trase'. Did you mean 'trace'? striate --help says what there is"),
        (["xyzzy"], "No such command 'xyzzy'; striate --help says what there is"),
        (["conv", "--fast"], "(Possible options: --at); striate conv --help says what there is"),
        (["push", "runs/a"], "Missing argument 'hub:USER/NAME'; striate push --help says what"),
    ],
)
def test_the_help_to_read_is_named(
    line: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert outcome(line) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert said in told
    assert told.count("error:") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fit digits --epochs x", "--epochs x: must be a whole number"),
        ("fit digits --epochs 1.5", "--epochs 1.5: must be a whole number"),
        ("fit digits --epochs=", "--epochs : must be a whole number"),
        ("fit digits --lr fast", "--lr fast: must be a number"),
        ("lr digits --batch 0", "--batch 0: must be at least 1"),
        ("trace resnet20 --batch -3", "--batch -3: must be at least 1"),
        ("cluster resnet20 --speed 4OO", "--speed 4OO: must be a number"),
        ("scale resnet20 --beta 1,1", "--beta 1,1: must be a number"),
        ("fit digits --seed \x1b[31m7", r"--seed \x1b[31m7: must be a whole number"),
        (f"fit digits --epochs {'9' * 5000}", "9: must be a whole number of fewer digits"),
    ],
)
def test_a_number_that_is_none_is_named(
    words: str, said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20000")
    assert outcome(words.split(" ")) == 2
    told = capsys.readouterr().err
    command = words.split(" ")[0]
    assert told.endswith(f"{said}; striate {command} --help says what there is\n")
    assert told.startswith("error: --")
    assert told.count("\n") == 1


def _numbers() -> dict[tuple[str, str], str]:
    """Every option of every command that takes a number, and what it must be."""
    must = {int: "a whole number", float: "a number"}
    commands: Any = get_command(app)
    return {
        (name, max(option.opts, key=len)): must[option.type_descriptor.annotation]
        for name, command in commands.commands.items()
        for option in command.params
        if option.opts[0].startswith("-") and option.type_descriptor.annotation in must
    }


def test_every_option_that_takes_a_number_names_what_it_got(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    numbers = _numbers()
    assert {("fit", "--epochs"), ("sweep", "--epochs"), ("conv", "--stride")} <= set(numbers)
    for (name, option), kind in numbers.items():
        assert outcome([name, option, "x"]) == 2
        said = f"error: {option} x: must be {kind}; striate {name} --help says what there is\n"
        assert capsys.readouterr().err == said


def test_a_choice_that_is_none_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert outcome(["fit", "digits", "--fit", "squash"]) == 2
    told = capsys.readouterr().err
    assert "'--fit': 'squash' is not one of 'crop', 'pad', 'stretch'; striate fit --help" in told
