"""A folder with a folder per class, with or without train, val and test above them.

A class folder's images may lie at any depth below it.  Hidden files and folders, ``__MACOSX`` and
files that by their ending are no images but notes (``IGNORED``) are passed over and counted; in a
class folder a file of any other ending is taken for an image, and is named when it is none.
Outside the class folders an image is an error, and anything else passed over and counted.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from striate.data.images.bad import BadImage
from striate.data.sources.labels import number_classes
from striate.data.sources.listing import SPLIT_WORDS, Listing, Part, PartName
from striate.data.strings import Strings
from striate.errors import DataError

IGNORED = frozenset({
    ".txt", ".md", ".rst", ".html", ".pdf", ".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml",
    ".yml", ".toml", ".ini", ".cfg", ".log", ".db", ".lnk", ".url", ".py", ".ipynb", ".zip",
    ".gz", ".tar", ".sha256", ".md5",
})  # fmt: skip
"""Endings (in lower case) of files that lie beside images and are none."""
IMAGES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".dib", ".tif", ".tiff",
    ".webp", ".ppm", ".pgm", ".pbm", ".pnm",
})  # fmt: skip
"""Endings (in lower case) of files that should not lie outside a class folder."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FileBytes:
    """Images in files: ``root`` and, relative to it, ``names``."""

    root: Path
    names: Strings

    def read(self, index: int) -> bytes:
        path = self.root / self.names[index]
        try:
            # A pipe would be waited for, and a device may have no end.
            if not stat.S_ISREG(path.stat().st_mode):
                raise BadImage("is no file but a pipe, socket or device")
            return path.read_bytes()
        except OSError as error:
            raise BadImage(f"cannot be read ({error.strerror})") from error

    def place(self, index: int) -> str:
        return str(self.root / self.names[index])


def list_folder(root: Path) -> Listing:
    """The images below ``root``; DataError where they are not laid out by class."""
    folders, files = _entries(root)
    if not folders and not files:
        raise DataError(f"{root} is empty; put a folder of images per class into it")
    given: dict[str, PartName] = {
        folder: SPLIT_WORDS[folder.lower()]
        for folder in folders
        if folder.lower() in SPLIT_WORDS and _entries(root / folder)[0]
    }
    if given and set(given) != set(folders):
        odd = sorted(set(folders) - set(given))[0]
        raise DataError(
            f"{root} has split folders ({', '.join(sorted(given))}) and beside them "
            f"{odd!r}; move it away, or name it train, val or test"
        )
    tops: dict[PartName, str] = _parts(root, given) if given else {"train": ""}
    ignored: list[str] = []
    if given:
        _check_strays(root, files, ignored)
    raw: dict[PartName, list[str]] = {}
    paths: dict[PartName, list[str]] = {}
    for part, top in tops.items():
        found = sorted(_images(root, top, ignored, must=part == "train"))
        raw[part] = [name for name, _ in found]
        paths[part] = [path for _, path in found]
    classes, labels = number_classes(raw, order=None, where=str(root))
    parts: dict[PartName, Part] = {}
    for part in tops:
        names = Strings.of(paths[part])
        content = FileBytes(root=root, names=names)
        parts[part] = Part(labels=labels[part], paths=names, content=content)
    some = ", ".join(sorted(ignored)[:3]) + (", …" if len(ignored) > 3 else "")
    passed = f"Files passed over, since they are no images: {len(ignored)} ({some})."
    return Listing(
        name=root.resolve().name or str(root),
        classes=classes,
        parts=parts,
        groupable=True,
        notes=(passed,) if ignored else (),
    )


def files_below(root: Path) -> tuple[list[Path], list[Path]]:
    """What is taken for an image below ``root``, at any depth and in order; what is passed over.

    By the rules of a class folder: a file of an unknown ending is an image until it is read.
    DataError where a folder cannot be read.
    """
    ignored: list[str] = []
    found = [root / path for path in _below(root, ".", ignored, frozenset())]
    return sorted(found), sorted(root / path for path in ignored)


def _parts(root: Path, given: dict[str, PartName]) -> dict[PartName, str]:
    parts: dict[PartName, str] = {}
    for folder in sorted(given):
        part = given[folder]
        if part in parts:
            raise DataError(
                f"{root} has two folders for {part}: {parts[part]!r} and {folder!r}; "
                "merge them or take one away"
            )
        parts[part] = folder
    if "train" not in parts:
        raise DataError(f"{root} has {', '.join(sorted(given))} but no train; add a train folder")
    return parts


def _images(root: Path, top: str, ignored: list[str], *, must: bool) -> Iterator[tuple[str, str]]:
    """(class, path relative to root) of every image below ``root / top``."""
    base = root / top
    classes, files = _entries(base)
    if not classes:
        raise DataError(
            f"{base} has no class folders; put the images of each class into a folder of its own"
        )
    _check_strays(base, files, ignored)
    for name in classes:
        paths = list(_below(root, f"{top}/{name}" if top else name, ignored, frozenset()))
        if must and not paths:
            raise DataError(f"{base / name} holds no images; add some, or remove the folder")
        yield from ((name, path) for path in paths)


def _check_strays(base: Path, files: list[str], ignored: list[str]) -> None:
    for name in files:
        if Path(name).suffix.lower() in IMAGES:
            raise DataError(
                f"{base / name} lies outside any class folder; move it into the "
                "folder of its class, or away"
            )
        ignored.append(name)


def _below(
    root: Path, relative: str, ignored: list[str], above: frozenset[tuple[int, int]]
) -> Iterator[str]:
    """Paths of images at any depth; a link back to a folder above is not followed."""
    status = (root / relative).stat()
    identity = status.st_dev, status.st_ino
    if identity in above:
        return
    folders, files = _entries(root / relative)
    for name in files:
        path = f"{relative}/{name}"
        if Path(name).suffix.lower() in IGNORED:
            ignored.append(path)
        else:
            yield path
    for name in folders:
        yield from _below(root, f"{relative}/{name}", ignored, above | {identity})


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the folders and of the files in ``folder``, sorted; hidden ones left out."""
    folders: list[str] = []
    files: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or entry.name == "__MACOSX":
                    continue
                (folders if entry.is_dir() else files).append(entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its rights") from error
    return sorted(folders), sorted(files)
