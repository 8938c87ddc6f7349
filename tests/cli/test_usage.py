"""A command line that cannot be read is answered by the fault and where the right words are."""

from __future__ import annotations

import pytest

from striate.cli.main import outcome


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
