"""Makes the `model/` folder of the page from the folder of an exported zero-shot model.

    motionhub export motionhub/tmor-small -o build/web_export
    python web/model_folder.py build/web_export build/web_model [--tower]

Beside the exported graphs and the text bank it has `web.json`: processor, thresholds, the constants of the zero-shot
pipelines, and every layout with its conversion to the model's. The page has no such numbers.
"""

import argparse
import hashlib
import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np

import motionhub
from motionhub.poses.estimators.mediapipe_poses import MediaPipePoses
from motionhub.poses.tracks import follow_people
from motionhub.runtime import phrases, predictor, steps, zero_shot
from motionhub.runtime.bank import BANK, VECTORS
from motionhub.runtime.graph import GRAPH, LABELS, read_facts, read_processor
from motionhub.skeletons.convert import check_conversion, conversion_weights
from motionhub.skeletons.joint_names import named_joints
from motionhub.skeletons.layouts import LAYOUTS, get_layout


SCHEMA = 1  # of web.json; `SCHEMA` of web/src/model.js is the same
TASK = "zero-shot-action-segmentation"
TOWER, VOCABULARY = "tower.onnx", "vocabulary.json"
LARGE = 10_000  # numbers in a weight that is stored in half the bytes
OF_EXPORT = ("people", "frames", "joints", "dims", "window_seconds")
LEVELS = ("score_temperature", "rejection_threshold", "window_rejection_threshold", "calibrated_stacking")


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exported", type=Path, help="a folder of motionhub export --to onnx")
    parser.add_argument("folder", type=Path, help="where the model folder is written")
    parser.add_argument("--tower", action="store_true", help="also export the text tower, for words beyond the bank")
    parser.add_argument("--name", help="of the checkpoint, as the page shows it; by default the exported folder's")
    given = parser.parse_args()
    write_model_folder(given.exported, given.folder, given.tower, given.name)
    print(f"written: {given.folder}, {sum(file.stat().st_size for file in given.folder.iterdir()) / 1e6:.1f} MB")


def write_model_folder(exported: Path, folder: Path, tower: bool = False, name: str | None = None) -> None:
    """Writes the folder; what was in it of an earlier model is replaced.

    Raises:
        ValueError: the exported folder is none, is broken, or is of another task.
    """
    facts = read_facts(exported)
    if TASK not in facts["tasks"] or facts["format"] != "onnx":
        got = f"{facts['tasks']} as {facts['format']}"
        raise ValueError(f"{exported}: expected a zero-shot model as onnx, got {got}; export motionhub/tmor-small.")
    absent = [file for file in (GRAPH, LABELS, BANK, VECTORS) if not (exported / file).is_file()]
    if absent:
        raise ValueError(f"{exported} lacks {', '.join(absent)}; export it again: motionhub export.")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in (GRAPH, LABELS, BANK, VECTORS):
        shutil.copyfile(exported / file, folder / file)
    motionhub.write(example(), folder / "example.npz")
    bank = json.loads((folder / BANK).read_text(encoding="utf-8"))
    if tower:
        export_tower(bank["tower"], folder)
    about = {"schema": SCHEMA, "motionhub": motionhub.__version__, "checkpoint": name or exported.name}
    about |= web_facts(facts, vars(read_processor(exported)))
    about["files"] = {path.name: file_facts(path) for path in sorted(folder.iterdir())}
    text = json.dumps(about, ensure_ascii=False, indent=0)
    (folder / "web.json").write_text(text + "\n", encoding="utf-8")


def web_facts(facts: dict[str, Any], processor: dict[str, Any]) -> dict[str, Any]:
    """What the page computes with. Args: `motionhub` of export.json, and the fields of the processor."""
    layout = get_layout(processor["layout"])
    config = {name: facts[name] for name in (*OF_EXPORT, *LEVELS)}
    return {
        "config": config,
        "processor": {**processor, "layout": layout.name},
        "scoring": scoring(),
        "poses": poses(),
        "layouts": layouts(layout),
    }


def example() -> motionhub.SkeletonSequence:
    """A generated recording of four actions, in 3-D."""
    clips = [motionhub.generate(action, seed=6) for action in ("walk around", "sit down", "stand up", "wave")]
    clip = clips[0].replace(keypoints=np.concatenate([each.keypoints for each in clips], axis=1))
    return motionhub.convert_layout(clip, "coco-17")


def scoring() -> dict[str, Any]:
    """The constants of the pipelines."""
    rule = zero_shot.decoding_rule({}, level=0.0)
    return {
        "views": list(zero_shot.VIEWS),
        "whole": zero_shot.WHOLE,
        "softness": zero_shot.SOFTNESS,
        "batch": predictor.BATCH,
        "hop": zero_shot.HOP,
        "none": zero_shot.NONE,
        "same_meaning": phrases.SAME_MEANING,
        "subject": phrases._SUBJECT.pattern,
        "rule": {name: getattr(rule, name) for name in ("threshold", "low_threshold", "min_duration", "max_gap")},
        "lying": steps._LYING,
        "heights": list(steps.HEIGHTS.items()),
    }


def poses() -> dict[str, Any]:
    """The defaults of the pose estimator, and of following people through its frames."""
    of_estimator = inspect.signature(MediaPipePoses).parameters
    of_tracks = inspect.signature(follow_people).parameters
    names = ("num_people", "min_confidence", "find_confidence")
    found = {"layout": MediaPipePoses.layout} | {name: of_estimator[name].default for name in names}
    return found | {
        "joint_confidence": of_tracks["min_confidence"].default,
        "min_frames": of_tracks["min_frames"].default,
    }


def layouts(target: Any) -> dict[str, Any]:
    """Every layout with the weights `[source joint, weight]` of each joint of the model's; null: cannot become it."""
    wanted = get_layout(target)
    found = {}
    for name, layout in LAYOUTS.items():
        weights, report = conversion_weights(layout, wanted)
        plain = {
            "joints": list(layout.joints),
            "bones": layout.bone_indices.tolist(),
            "root": layout.index(layout.root),
        }
        plain |= {"dims": layout.dims, "file_joints": layout.num_file_joints, "kept": list(layout.kept_positions)}
        plain["names"] = {spelled: joint for joint in layout.joints for spelled in spellings(joint)}
        try:
            check_conversion(layout, wanted, report)
            rows = [[[int(at), float(row[at])] for at in row.nonzero()[0]] for row in weights]
        except ValueError:
            rows = None
        found[name] = {**plain, "weights": rows, "lost": list(report.missing)}
    return found


def spellings(joint: str) -> list[str]:
    """Names of a joint in files, which the rules of `joint_names` read as this one."""
    side, _, part = joint.partition("_")
    forms = [joint, joint.replace("_", " "), joint.replace("_", "")]
    if side in ("left", "right"):
        forms += [f"{side[0]}_{part}", f"{part}_{side}", f"{part}_{side[0]}", f"{side[0]}{part}".replace("_", "")]
    return [form for form in dict.fromkeys(forms) if named_joints([form])[form] in (joint, None)]


def export_tower(tower: Any, folder: Path) -> None:
    """The text tower as a graph from token ids to pooled states, and its WordPiece vocabulary."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    from motionhub.towers import text_towers

    name = text_towers.TowerName.parse(tower)
    source = text_towers._sentence_encoder_folder(name)
    tokenizer, module = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source, dtype=torch.float32)
    kind = type(tokenizer.backend_tokenizer.model).__name__
    if kind != "WordPiece":
        raise ValueError(f"The page reads texts by WordPiece, {name.name} has {kind}; leave out --tower.")
    tokens = tokenizer(["a person sits down", "a wave"], padding=True, return_tensors="pt")
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length")
    torch.onnx.export(
        sentence_vectors(module),
        (tokens["input_ids"], tokens["attention_mask"]),
        folder / TOWER,
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_shapes={name: {0: batch, 1: length} for name in ("input_ids", "attention_mask")},
        external_data=False,
        verbose=False,
    )
    halve_weights(folder / TOWER)
    places = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    facts = {"tokens": [token for token, _ in places], "lowercase": bool(getattr(tokenizer, "do_lower_case", True))}
    facts |= {"unknown": tokenizer.unk_token, "start": tokenizer.cls_token, "end": tokenizer.sep_token}
    facts |= {"most": 256, "prompt": name.prompt or "{}"}
    (folder / VOCABULARY).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")


def sentence_vectors(module: Any) -> Any:
    """Of a sentence encoder a module with the mean over the tokens of a text, of length 1."""
    import torch

    from motionhub.towers.text_towers import pool

    class SentenceVectors(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            states = self.module(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            return torch.nn.functional.normalize(pool(states, attention_mask, "mean"), dim=-1)

    return SentenceVectors().eval()


def halve_weights(path: Path) -> None:
    """Stores the large weights as float16, cast to float32 when the graph is loaded: half the download."""
    import onnx

    graph = onnx.load(path)
    casts = []
    for weight in graph.graph.initializer:
        values = onnx.numpy_helper.to_array(weight)
        if values.dtype == np.float32 and values.size > LARGE:
            name = weight.name
            weight.CopyFrom(onnx.numpy_helper.from_array(values.astype(np.float16), f"{name}_half"))
            casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    for place, node in enumerate(casts):
        graph.graph.node.insert(place, node)
    onnx.save(graph, path)


def file_facts(path: Path) -> dict[str, Any]:
    """Size and checksum, by which the page notices a file that was cut off."""
    return {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


if __name__ == "__main__":
    main()
