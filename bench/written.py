"""Is every network of the zoo, written as source by ``striate code``, that network to the last bit?

    python bench/written.py [NAME…]

Each entry is written, imported alone, filled with the same weights as striate's own, and both are
shown the same images: the entry at its small form, or ``--full`` at its own size.  Prints a line
each, and ends with 1 where two logits differ.  The tests do so for entries of up to 30 million
parameters.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import torch

from striate.arch import zoo, zoo_names
from striate.building import build
from striate.writing import class_name, write_code

HERE = Path(__file__).resolve().parents[1] / "tests" / "writing" / "isolated.py"


def helpers() -> Any:
    """What fills a network and draws its images, as the tests do."""
    spec = importlib.util.spec_from_file_location("isolated", HERE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def main() -> int:
    isolated = helpers()
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or list(zoo_names())
    wrong = 0
    for name in names:
        arch = zoo(name)
        if "--full" not in sys.argv and arch.image[1] > 32:
            arch = zoo(name, small=True)
        namespace: dict[str, Any] = {"__name__": "written"}
        exec(compile(write_code(arch), name, "exec"), namespace)
        with torch.device("meta"):
            theirs = namespace[class_name(arch)]().eval()
        ours = build(arch, device="meta").eval()
        with torch.inference_mode():
            isolated.fill(ours)
            first = ours(isolated.image(arch.image))
            isolated.fill(theirs)
            second = theirs(isolated.image(arch.image))
        same = torch.equal(first, second)
        wrong += not same
        size = "×".join(map(str, arch.image))
        print(f"{arch.name}  {size}  {'identical' if same else 'DIFFERENT'}", flush=True)
    print(f"{len(names) - wrong} of {len(names)} identical")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
