"""The card of a run on the hub, and its ``config.json``: from the run's folder alone.

Comes in: a run.  Goes out: text.  No image of the data and no path of the machine is in it.
"""

from __future__ import annotations

import json
from typing import Any

from striate.arch import to_dict, to_toml
from striate.deploying.card import said_calibrated, said_classes, said_worst
from striate.deploying.confidence import Confidence
from striate.runs import LoadedRun


def hub_card(
    run: LoadedRun, confidence: Confidence, *, repo: str, data: str, onnx: bool, report: bool
) -> str:
    """``README.md``: what the network is, was measured to do, and is for.

    ``data``: what the data set is called.  ``onnx``, ``report``: whether those files lie beside it.
    """
    arch, result = run.arch, run.result
    assert arch is not None
    assert result is not None
    params = sum(parameter.numel() for parameter in run.module.parameters())
    image = " × ".join(map(str, run.preprocessing.image))
    count = len(run.preprocessing.classes)
    tested = "" if run.evaluation is None else f"{len(run.evaluation.labels):,} "
    versions = run.info.versions
    parts = [
        _header(arch.name, data, result.accuracy, result.ece, onnx=onnx),
        f"# {arch.name} on {data}\n",
        f"An image classifier of {count} classes, trained with striate.\n",
        "## Use\n",
        "```python\nimport striate\n",
        f'run = striate.load("hub:{repo}")',
        'logits = run.module(run.preprocessing.read("image.png"))',
        "classes = run.preprocessing.classes\n```\n",
        (
            f"Or `striate predict hub:{repo} image.png`; to train on from here, "
            f"`striate fit photos --weights hub:{repo}`."
        ),
        *(
            [
                "",
                "`onnx/` holds the same network for ONNX Runtime; its own card says how to use it.",
            ]
            if onnx
            else []
        ),
        *(["", "`report.html` shows what the network learned."] if report else []),
        "",
        "## Network\n",
        f"{params:,} parameters, images of {image}.\n",
        f"```toml\n{to_toml(arch).strip()}\n```\n",
        "## Data\n",
        said_classes(run.preprocessing.classes),
        "## Measured\n",
        (
            f"On the {tested}test images of {data}, which no choice has looked at: accuracy "
            f"{result.accuracy:.2%}, cross-entropy {result.loss:.4f}, expected calibration error "
            f"{result.ece:.2%} before calibration.\n"
        ),
        said_calibrated(confidence),
        *([said_worst(run.evaluation)] if run.evaluation is not None else []),
        (
            f"Trained for {result.epochs} epochs in {result.setting}, with striate "
            f"{versions.get('striate', '?')} and PyTorch {versions.get('torch', '?')}; "
            "`recipe.toml` holds every setting.\n"
        ),
        "## Intended use and limits\n",
        (
            f"For images like those of {data}: its {count} classes and no others. Of any image, "
            "whatever it shows, it names one of them. The figures above hold for images drawn as "
            "the test images were; measure again on your own before decisions that matter to "
            "people depend on it."
        ),
    ]
    return "\n".join(parts) + "\n"


def hub_config(run: LoadedRun, confidence: Confidence) -> str:
    """``config.json``: what other tools read first, with timm's keys for the preprocessing."""
    arch, kept = run.arch, run.preprocessing
    assert arch is not None
    plain: dict[str, Any] = {
        "striate": 1,
        "architecture": arch.name,
        "num_classes": len(kept.classes),
        "label_names": list(kept.classes),
        "pretrained_cfg": {
            "input_size": list(kept.image),
            "mean": list(kept.mean),
            "std": list(kept.std),
            "crop_mode": kept.fit,
        },
        "temperature": confidence.temperature,
        "arch": to_dict(arch),
    }
    return json.dumps(plain, indent=1, ensure_ascii=False) + "\n"


def _header(name: str, data: str, accuracy: float, ece: float, *, onnx: bool) -> str:
    """What the hub indexes; strings as JSON, which YAML reads."""
    title = json.dumps(f"{name} on {data}", ensure_ascii=False)
    quoted = json.dumps(data, ensure_ascii=False)
    tags = ["image-classification", "pytorch", "striate", *(["onnx"] if onnx else [])]
    return "\n".join([
        "---",
        "library_name: striate",
        "pipeline_tag: image-classification",
        f"tags: [{', '.join(tags)}]",
        "metrics: [accuracy]",
        "model-index:",
        f"- name: {title}",
        "  results:",
        "  - task: {type: image-classification}",
        f"    dataset: {{name: {quoted}, type: image-folder, split: test}}",
        "    metrics:",
        f"    - {{type: accuracy, value: {accuracy:.6g}}}",
        f"    - {{type: expected_calibration_error, value: {ece:.6g}}}",
        "---",
        "",
    ])  # fmt: skip
