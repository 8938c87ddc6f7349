"""The README's and the docs' code blocks: what they show, and what their commands print now.

    python tools/_pages.py README.md            show what each command prints
    python tools/_pages.py README.md --write    put it on the page where it no longer matches,
                                                with the lines left out that were left out before

A fenced block is used by its kind, in the order of its page, in a folder of the page's own:

    ```console               each ``$ striate …`` is run and its output compared; ``…`` stands for
                             whatever is there, alone on a line for any number of lines; speeds,
                             times, losses and accuracies are compared as "a number"
    ```python                is run; with ``>>>`` as a doctest, output and all
    ```python title="NAME"   (or toml) is written as the file NAME first
    ```sh                    is not run, but its commands, options and targets must exist
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
from PIL import Image

FENCE = re.compile(
    r'^```(?P<kind>\w+)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$', re.MULTILINE | re.DOTALL
)
# What differs from machine to machine and from run to run.
_NUMBER = r"(?:\d[\d,]*(?:\.\d+)?|…)"
_VOLATILE = [
    (re.compile(rf"{_NUMBER}(?= images/s)"), "N"),
    (re.compile(r"(?<=images/s) best$", re.MULTILINE), ""),
    (re.compile(rf"(?<=loss ){_NUMBER}"), "N"),
    (re.compile(rf"((?:acc|accuracy|calibration error) ){_NUMBER}%"), r"\1N%"),
    (re.compile(rf"about {_NUMBER} (?:s|min|h)(?: \d+ (?:s|min))?"), "about N s"),
    (re.compile(r"^(  (?:fp32|bf16)(?:-channels-last)?) .*$", re.MULTILINE), r"\1"),
]


@dataclass(frozen=True, kw_only=True)
class Block:
    """A fenced block: its kind, the file it is (or an empty string) and its text."""

    kind: str
    title: str
    text: str


def blocks(page: Path) -> list[Block]:
    """The page's fenced blocks, in order."""
    return [
        Block(kind=found["kind"], title=found["title"] or "", text=found["text"])
        for found in FENCE.finditer(page.read_text(encoding="utf-8"))
    ]


def session(text: str) -> list[tuple[str, str]]:
    """A console block as (command, output that is shown) pairs."""
    pairs: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            pairs.append((line[2:], []))
        else:
            pairs[-1][1].append(line)
    return [(command, "\n".join(output).strip("\n")) for command, output in pairs]


def agrees(shown: str, printed: str) -> bool:
    """Whether a page may show ``shown`` for a command that prints ``printed``."""
    parts: list[str] = []
    for line in _steady(shown).splitlines():
        if line.strip() == "…":
            parts.append(r"(?:[^\n]*\n)*?")
        else:
            parts.append("[^\n]*?".join(re.escape(bit) for bit in line.rstrip().split("…")) + "\n")
    return re.fullmatch("".join(parts), _steady(printed)) is not None


def _steady(text: str) -> str:
    for pattern, plain in _VOLATILE:
        text = pattern.sub(plain, text)
    return text


def tidy(output: str) -> str:
    """Output without trailing spaces and without empty lines around it."""
    return "\n".join(line.rstrip() for line in output.splitlines()).strip("\n") + "\n"


def shortened(printed: str, shown: str) -> str:
    """``printed`` without what ``shown`` left out: what lies between the lines around each ``…``.

    The lines around it are looked for by likeness; where they are not found, nothing is left out.
    """
    lines, old = printed.splitlines(), shown.splitlines()
    kept: list[str] = []
    done = 0
    for at, line in enumerate(old):
        if line.strip() != "…" or not 0 < at < len(old) - 1:
            continue
        start = _likest(old[at - 1], lines, done)
        end = _likest(old[at + 1], lines, done if start is None else start + 1)
        if start is not None and end is not None:
            kept += [*lines[done : start + 1], line]
            done = end
    return "\n".join([*kept, *lines[done:]]) + "\n"


def _likest(wanted: str, lines: list[str], start: int) -> int | None:
    """The index of the line from ``start`` on that is most like ``wanted``, if one is."""
    if not wanted.strip():
        return next((i for i in range(start, len(lines)) if not lines[i].strip()), None)
    ratios = [SequenceMatcher(None, wanted, line).ratio() for line in lines[start:]]
    if not ratios or max(ratios) < 0.6:
        return None
    return start + ratios.index(max(ratios))


def run(command: str, folder: Path) -> str:
    """What ``striate …`` prints in ``folder``, on 80 columns without colour.

    AssertionError for another program, or where it ends otherwise than a command may.
    """
    words = shlex.split(command)
    assert words[0] == "striate", f"only striate is run in a console block; put {command!r} in sh"
    environment = {**os.environ, "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
    environment.pop("FORCE_COLOR", None)
    done = subprocess.run(
        [Path(sys.executable).with_name("striate"), *words[1:]],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stdout
    assert "Traceback" not in done.stdout, done.stdout
    return tidy(done.stdout)


def make_photographs(folder: Path) -> None:
    """``photos`` with two classes of thirty small pictures, as a user has them: stripes."""
    for number, name in enumerate(("cat", "dog")):
        (folder / "photos" / name).mkdir(parents=True)
        for index in range(30):
            rows, columns = np.mgrid[0:40, 0:48]
            wave = np.sin((columns if number else rows) * (0.3 + index / 60) + index)
            pixels = np.stack([120 + 90 * wave, 100 + 60 * wave, 90 + 30 * wave], axis=-1)
            place = folder / "photos" / name / f"{index:03d}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(place)


def main() -> None:
    page = Path(sys.argv[1])
    text = page.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_photographs(folder)
        os.environ["STRIATE_CACHE"] = str(folder / "cache")
        for block in blocks(page):
            if block.title:
                (folder / block.title).write_text(block.text, encoding="utf-8")
            elif block.kind == "console":
                now = ""
                for command, shown in session(block.text):
                    printed = run(command, folder)
                    print(f"$ {command}\n{printed}")
                    now += f"$ {command}\n"
                    same = shown != "…" and agrees(shown, printed)
                    now += f"{shown}\n" if same else shortened(printed, shown)
                text = text.replace(f"```console\n{block.text}```", f"```console\n{now}```")
    if "--write" in sys.argv:
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
