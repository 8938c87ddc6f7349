"""What Tab offers, through the protocol that the shells speak, and with bash itself."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from striate.arch import zoo_names

Striate = Callable[..., Any]
PROGRAM = Path(sys.executable).with_name("striate")


@pytest.fixture
def complete(striate: Striate, tmp_path: Path) -> Callable[..., list[str]]:
    """What is offered after a line; ``shell`` asks."""
    for name in ("nets.py", "data.npz", "resnet_mine.toml", "notes.txt", ".hidden.toml"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.toml").touch()

    def offered(line: str, shell: str = "bash") -> list[str]:
        words = line.split(" ")
        protocol = {
            "bash": {"COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)},
            "fish": {"_TYPER_COMPLETE_ARGS": line, "_TYPER_COMPLETE_FISH_ACTION": "get-args"},
        }[shell]
        ended = striate(env={**protocol, "_STRIATE_COMPLETE": f"complete_{shell}"})
        assert ended.code == 0, ended.err
        return [text.split("\t")[0] for text in ended.out.splitlines() if text]

    return offered


def test_commands(complete: Callable[..., list[str]]) -> None:
    assert complete("striate tr") == ["trace"]


def test_options_and_their_choices(complete: Callable[..., list[str]]) -> None:
    assert complete("striate fit --se") == ["--seed", "--set", "--setting"]
    assert complete("striate fit --setting bf") == ["bf16", "bf16-channels-last"]
    assert complete("striate conv --kernel sob") == ["sobel-x", "sobel-y"]
    assert complete("striate verify --only l") == ["luo", "lengths", "ledger", "lesions"]
    assert complete("striate verify --only luo/4") == ["luo/40"]


def test_networks_and_files_that_begin_alike(complete: Callable[..., list[str]]) -> None:
    names = [name for name in zoo_names() if name.startswith("resn")]
    assert complete("striate trace resn") == [*names, "resnet_mine.toml"]
    assert complete("striate zoo resnet10") == ["resnet101"]
    assert complete("striate fit --arch au") == ["auto"]


def test_runs(complete: Callable[..., list[str]], tmp_path: Path) -> None:
    for name in ("first", "other"):
        (tmp_path / "runs" / name).mkdir(parents=True)
    (tmp_path / "runs" / "first" / "run.json").touch()  # the other holds no run
    for command in ("predict", "export"):
        assert complete(f"striate {command} ") == ["runs/first"]
        assert complete(f"striate {command} runs/f") == ["runs/first"]
        assert complete(f"striate {command} else") == []
    assert complete("striate code resnet2") == ["resnet20"]
    assert complete("striate code run") == ["runs/first", "runs/"]


def test_files_by_what_they_are_for(complete: Callable[..., list[str]]) -> None:
    every = complete("striate check ")
    assert every[: len(zoo_names())] == list(zoo_names())
    assert every[len(zoo_names()) :] == ["nets.py", "resnet_mine.toml", "sub/", "tiny.toml"]
    assert complete("striate fit ") == ["digits", "shapes", "data.npz", "sub/"]


def test_bash_is_left_to_complete_paths_where_no_name_fits(
    complete: Callable[..., list[str]],
) -> None:
    assert complete("striate trace ne") == []
    assert complete("striate trace sub/") == []


def test_fish_is_told_of_files_too(complete: Callable[..., list[str]]) -> None:
    assert complete("striate trace ne", "fish") == ["nets.py"]
    assert complete("striate trace sub/", "fish") == ["sub/deep.toml"]
    assert complete("striate trace .hid", "fish") == [".hidden.toml"]
    assert complete("striate trace nowhere/", "fish") == []


def test_completing_loads_no_torch() -> None:
    program = (
        "import sys; from striate.cli.main import run\n"
        "try: run([])\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={
            **os.environ,
            "_STRIATE_COMPLETE": "complete_bash",
            "COMP_WORDS": "striate trace resnet18",
            "COMP_CWORD": "2",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "resnet18\n"
    assert done.stderr == "False\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell(striate: Striate, shell: str) -> None:
    ended = striate(
        "--show-completion", shell, env={"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    )
    assert ended.code == 0
    assert f"_STRIATE_COMPLETE=complete_{shell}" in ended.out


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash; apt-get install bash")
def test_bash_itself() -> None:
    environment = {**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    script = f"""
        PATH={PROGRAM.parent}:$PATH
        eval "$(striate --show-completion bash)"
        complete -p striate
        COMP_WORDS=(striate trace vg); COMP_CWORD=2
        _striate_completion striate
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == (
        "complete -o default -F _striate_completion striate\n"
        "vgg11 vgg13 vgg16 vgg19 vgg11_bn vgg13_bn vgg16_bn vgg19_bn\n"
    )
