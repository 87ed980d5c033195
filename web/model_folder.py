"""Makes the `model/` folder of the page from a zero-shot checkpoint, or from the folder that `motionhub export` wrote.

    python web/model_folder.py hub_configs/tmor-small build/web_model [--tower]

The folder has `web.json` (config, processor, the constants of the zero-shot pipelines, every layout with its
conversion to the model's), `model.onnx`, `similarity.safetensors` and the text bank. The page has no such numbers.
"""

import argparse
import hashlib
import inspect
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from transformers import pipeline

import motionhub
from motionhub.pipelines import zero_shot, zero_shot_action_segmentation
from motionhub.poses.estimators.mediapipe_poses import MediaPipePoses
from motionhub.poses.tracks import follow_people
from motionhub.processing import steps
from motionhub.skeletons.convert import check_conversion, conversion_weights
from motionhub.skeletons.joint_names import named_joints
from motionhub.skeletons.layouts import LAYOUTS, get_layout
from motionhub.towers import text_bank, text_towers


SCHEMA = 1
GRAPH, SIMILARITY, TOWER, VOCABULARY = "model.onnx", "similarity.safetensors", "tower.onnx", "vocabulary.json"
LARGE = 10_000  # numbers in a weight that is stored in half the bytes
CONFIG = (
    *("score_temperature", "rejection_threshold", "window_rejection_threshold", "calibrated_stacking"),
    *("window_seconds", "projection_size"),
)
INPUTS = ("keypoints", "joint_mask", "attention_mask")


class MotionEmbeds(torch.nn.Module):
    """Of a `TMorModel` the part from keypoints to unit embeddings."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, keypoints: torch.Tensor, joint_mask: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(batch, projection_size)`."""
        return self.model.get_skeleton_features(keypoints, joint_mask, attention_mask).pooler_output


class SentenceVectors(torch.nn.Module):
    """Of a sentence encoder the unit vectors: the mean over the tokens of a text."""

    def __init__(self, module: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """`(batch, dim)`."""
        states = self.module(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return torch.nn.functional.normalize(text_towers.pool(states, attention_mask, "mean"), dim=-1)


def main() -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="a zero-shot checkpoint, or a folder of motionhub export")
    parser.add_argument("folder", type=Path, help="where the model folder is written")
    parser.add_argument("--tower", action="store_true", help="also export the text tower, for words beyond the bank")
    given = parser.parse_args()
    write_model_folder(given.checkpoint, given.folder, tower=given.tower)
    print(f"written: {given.folder}, {sum(file.stat().st_size for file in given.folder.iterdir()) / 1e6:.1f} MB")


def write_model_folder(checkpoint: str, folder: Path, tower: bool = False) -> None:
    """Writes the folder; what was in it of an earlier model is replaced."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pipe: Any = pipeline("zero-shot-action-segmentation", model=checkpoint)
    if pipe.text_bank is None:
        raise ValueError(
            f"{checkpoint} has no text bank; save one beside it: TextBank.build(...).save_pretrained(...)."
        )
    exported = Path(checkpoint) / GRAPH
    if exported.is_file():
        shutil.copyfile(exported, folder / GRAPH)
    else:
        export_graph(pipe.model.base_model, pipe.feature_extractor, folder / GRAPH)
    pipe.text_bank.save_pretrained(folder)
    save_file(similarity_tensors(pipe.model.base_model), folder / SIMILARITY)
    if tower:
        export_tower(pipe.text_bank.tower, folder)
    motionhub.write(example(), folder / "example.npz")
    for path in folder.iterdir():
        path.chmod(0o644)  # safetensors are written for their owner alone
    names = sorted(path.name for path in folder.iterdir())
    facts = {"schema": SCHEMA, "motionhub": motionhub.__version__, "checkpoint": Path(checkpoint).name}
    facts |= {"graph": graph_names(folder / GRAPH), "processor": pipe.feature_extractor.to_dict()}
    config = {name: getattr(pipe.model.config, name) for name in CONFIG}
    facts |= {"config": config, "scoring": scoring(), "poses": poses()}
    facts |= {"layouts": layouts(pipe.feature_extractor.layout), "tower": pipe.text_bank.tower.to_dict()}
    facts["files"] = {name: file_facts(folder / name) for name in names}
    text = json.dumps(facts, ensure_ascii=False, indent=0)
    (folder / "web.json").write_text(text + "\n", encoding="utf-8")


def example() -> motionhub.SkeletonSequence:
    """A generated recording of four actions, as a 2-D camera sees it."""
    clips = [motionhub.generate(action, seed=6) for action in ("walk around", "sit down", "stand up", "wave")]
    clip = clips[0].replace(keypoints=np.concatenate([each.keypoints for each in clips], axis=1))
    return motionhub.convert_layout(clip, "coco-17")


def export_graph(model: Any, processor: Any, path: Path) -> None:
    """The graph of unit embeddings, its batch free; frames, too, where the processor does not fix them."""
    layout, dims = get_layout(processor.layout), processor.num_dims
    frames = processor.num_frames or 60
    shape = (2, processor.num_people or 1, frames, layout.num_joints)
    # Two clips: the trace of one would fix the batch at 1.
    example = (torch.randn(*shape, dims), torch.ones(shape, dtype=torch.bool), torch.ones(shape[:3], dtype=torch.bool))
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        MotionEmbeds(model).eval(),
        example,
        path,
        input_names=list(INPUTS),
        output_names=["motion_embeds"],
        dynamic_shapes={name: {0: batch} for name in INPUTS},
        dynamo=True,
        external_data=False,
        verbose=False,
    )


def graph_names(path: Path) -> dict[str, Any]:
    """The names by which the page runs the graph."""
    import onnx

    graph = onnx.load(path, load_external_data=False).graph
    outputs = [output.name for output in graph.output]
    wanted = [name for name in ("motion_embeds", "pooler_output", "embeds") if name in outputs]
    if not wanted:
        raise ValueError(f"{path}: expected an output motion_embeds, got {outputs}.")
    inputs = [each.name for each in graph.input]
    texts = [name for name in inputs if name not in INPUTS]
    return {"inputs": inputs, "texts": texts, "output": wanted[0]}


def similarity_tensors(model: Any) -> dict[str, torch.Tensor]:
    """What turns embeddings and text vectors to similarities: the normalizer, and the projection of texts."""
    tensors = {f"typical_motion.{name}": value for name, value in model.typical_motion.state_dict().items()}
    tensors |= {f"text_projection.{name}": value for name, value in model.text_projection.state_dict().items()}
    return {name: value.detach().float().reshape(value.shape or (1,)).contiguous() for name, value in tensors.items()}


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


def scoring() -> dict[str, Any]:
    """The constants of the pipelines."""
    rule = zero_shot_action_segmentation.decoding_rule({}, multi_label=False)
    return {
        "views": list(zero_shot.VIEWS),
        "whole": zero_shot.WHOLE,
        "softness": zero_shot.SOFTNESS,
        "batch": zero_shot.BATCH,
        "hop": zero_shot_action_segmentation.HOP,
        "same_meaning": text_bank.SAME_MEANING,
        "subject": text_bank._SUBJECT.pattern,
        "rule": {name: getattr(rule, name) for name in ("threshold", "low_threshold", "min_duration", "max_gap")},
        "lying": steps._LYING,
        "heights": list(steps.HEIGHTS.items()),
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
    from transformers import AutoModel, AutoTokenizer

    source = text_towers._sentence_encoder_folder(tower)
    tokenizer, module = AutoTokenizer.from_pretrained(source), AutoModel.from_pretrained(source, dtype=torch.float32)
    kind = type(tokenizer.backend_tokenizer.model).__name__
    if kind != "WordPiece":
        raise ValueError(f"The page reads texts by WordPiece, {tower.name} has {kind}; leave out --tower.")
    tokens = tokenizer(["a person sits down", "a wave"], padding=True, return_tensors="pt")
    batch, length = torch.export.Dim("batch", min=1, max=256), torch.export.Dim("length", min=2, max=256)
    torch.onnx.export(
        SentenceVectors(module).eval(),
        (tokens["input_ids"], tokens["attention_mask"]),
        folder / TOWER,
        input_names=["input_ids", "attention_mask"],
        output_names=["vectors"],
        dynamic_shapes={name: {0: batch, 1: length} for name in ("input_ids", "attention_mask")},
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    halve_weights(folder / TOWER)
    places = sorted(tokenizer.get_vocab().items(), key=lambda pair: pair[1])
    facts = {"tokens": [token for token, _ in places], "lowercase": bool(getattr(tokenizer, "do_lower_case", True))}
    facts |= {"unknown": tokenizer.unk_token, "start": tokenizer.cls_token, "end": tokenizer.sep_token}
    facts |= {"most": 256, "prompt": tower.prompt or "{}"}
    (folder / VOCABULARY).write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")


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
