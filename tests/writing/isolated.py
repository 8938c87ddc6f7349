"""Runs written networks where nothing but torch can be imported, and says what they give.

``python -S -P isolated.py SITE FOLDER``: SITE is where torch lies; of every ``NAME.py`` in FOLDER
the network is built without memory, its weights are filled by ``fill``, and its logits for a fixed
image are kept in ``NAME.logits``.  Without ``site`` no path file is read, so that a package
installed for development is not to be found.
"""

from __future__ import annotations

import importlib.util
import json
import math
import sys
import zlib
from pathlib import Path
from typing import Any

sys.path.append(sys.argv[1]) if __name__ == "__main__" else None

import torch  # noqa: E402

_NOISE = torch.empty(1 << 20).normal_(generator=torch.Generator().manual_seed(0))


def fill(network: Any) -> None:
    """Numbers for every tensor of the state, each a function of its name and shape alone."""
    state = {}
    for name, shape in sorted((n, t.shape) for n, t in network.state_dict().items()):
        count = math.prod(shape)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.zeros(shape, dtype=torch.int64)
            continue
        start = zlib.crc32(name.encode()) % (1 << 19)
        noise = _NOISE[start:].repeat(1 + count // (1 << 19))[:count].reshape(shape)
        if name.endswith("running_var"):
            state[name] = 1 + 0.1 * noise.abs()
        elif len(shape) > 1:
            state[name] = noise / math.sqrt(max(1, count // shape[0]))
        else:
            state[name] = (0 if name.endswith(("bias", "running_mean")) else 1) + 0.1 * noise
    network.load_state_dict(state, assign=True)


def image(shape: tuple[int, int, int]) -> Any:
    """Two images of ``shape``."""
    count = 2 * math.prod(shape)
    return _NOISE.repeat(1 + count // len(_NOISE))[:count].reshape(2, *shape)


def main() -> None:
    torch.set_num_threads(1)
    wanted = json.loads((Path(sys.argv[2]) / "wanted.json").read_text())
    for file, (name, shape) in wanted.items():
        spec = importlib.util.spec_from_file_location(file, Path(sys.argv[2]) / f"{file}.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        with torch.device("meta"):
            network = getattr(module, name)().eval()
        fill(network)
        with torch.no_grad():
            logits = network(image(tuple(shape)))
        torch.save(logits, Path(sys.argv[2]) / f"{file}.logits")
    strangers = [name for name in sys.modules if name.split(".")[0] == "striate"]
    assert strangers == [], strangers
    assert importlib.util.find_spec("striate") is None


if __name__ == "__main__":
    main()
