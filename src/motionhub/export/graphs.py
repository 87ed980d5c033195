"""A model as a graph of another runtime, by the exporters of transformers; no layer is written twice."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim

from motionhub.models.streaming_step import StreamingStep
from motionhub.nn.orthogonal_basis import constant_bases
from motionhub.runtime.graph import GRAPH, LABELS, LEAST_STEPS
from motionhub.runtime.stream import ENDLESS, STREAM


FORMATS = ("onnx", "openvino", "executorch", "torch")
# Format -> its name in transformers, the packages that it needs, and what installs them.
BACKENDS = {
    "onnx": ("onnx", ("onnx", "onnxscript", "onnxruntime"), 'pip install "motionhub[export]"'),
    "openvino": ("openvino", ("openvino",), "pip install openvino"),
    "executorch": ("executorch", ("executorch",), "pip install executorch"),
    "torch": ("dynamo", (), ""),
}
CLIPS = 2  # with one clip, tracing takes the batch as a constant
# Model types whose graphs take any number of frames, in multiples of `frame_stride`; docs/how_to/export.md says why
# the others have a fixed number.
ANY_FRAMES = ("motionhub_tcn", "motionhub_unik", "motionhub_agcn", "motionhub_st_gcn")
OPSET = 18  # ONNX Runtime has had it since 1.14, onnxruntime-web too


def sample_inputs(config: Any, frames: int, seed: int = 0) -> dict[str, Tensor]:
    """Two clips to trace with: `keypoints`, `joint_mask` and `attention_mask` of a model's own sizes.

    Args:
        config: of the model, with num_people, num_joints and in_channels.
        frames: of each clip.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (CLIPS, people_of(config), frames, config.num_joints)
    return {
        "keypoints": torch.randn(*shape, config.in_channels, generator=generator),
        "joint_mask": torch.rand(shape, generator=generator) > 0.1,
        "attention_mask": torch.ones(shape[:3], dtype=torch.bool),
    }


def people_of(config: Any) -> int:
    """Person slots of a model; 1 where the config has no such number."""
    return int(getattr(config, "num_people", None) or 1)


def takes_any_frames(config: Any, to: str = "onnx") -> bool:
    """Whether graphs of such a model have no fixed number of frames."""
    encoder = config.encoder if config.model_type == "motionhub_t_mor" else config
    return to in ("onnx", "torch") and encoder.model_type in ANY_FRAMES


def exported(
    model: Any, inputs: dict[str, Tensor], to: str, dynamic_batch: bool = True, dynamic_frames: bool = False
) -> Any:
    """Transformers' `ExportedModel` of a model in evaluation mode.

    Args:
        model: of any family of skeletons.
        inputs: two clips.
        to: one of `FORMATS`.
        dynamic_batch: False fixes the batch of the inputs.
        dynamic_frames: True leaves the number of frames open, in multiples of the model's stride.

    Raises:
        ImportError: a package of the format is not installed.
        ValueError: the exporter refuses the model.
    """
    check_installed(to)
    from transformers.exporters import AutoExportConfig, AutoHfExporter

    open_axes: dict[int, Any] = {0: Dim("batch")} if dynamic_batch else {}
    if dynamic_frames:
        stride, steps = getattr(model.config, "frame_stride", 1), Dim("steps", min=LEAST_STEPS)
        open_axes[2] = stride * steps if stride > 1 else steps
    shapes = dict.fromkeys(inputs, open_axes) if open_axes else None
    options = {"opset_version": OPSET} if to == "onnx" else {}
    config = AutoExportConfig.from_dict({"export_format": BACKENDS[to][0], "dynamic_shapes": shapes, **options})
    try:
        with _quiet(), constant_bases(model):
            return AutoHfExporter.from_config(config).export(traceable(model), dict(inputs), config=config)
    except (RuntimeError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:240]
        raise ValueError(f"{type(model).__name__} cannot be exported to {to}: {reason}") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporters' steps on stdout, and what they say of packages that no graph of ours needs."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(before)


class Enclosed(nn.Module):
    """A model as a part of another, for those whose parts have a name that every traced module needs for itself."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model, self.config = model, model.config

    def forward(self, **inputs: Tensor) -> Any:
        """What the model gives."""
        return self.model(**inputs)


def traceable(model: Any) -> Any:
    """The model, enclosed where one of its parts is called `graph`, as those of 2s-AGCN and ST-GCN are."""
    return Enclosed(model).eval() if isinstance(getattr(model, "graph", None), nn.Module) else model


def check_installed(to: str) -> None:
    """Raises a ValueError for an unknown format, and an ImportError with the command for a missing package."""
    import importlib.util

    if to not in BACKENDS:
        raise ValueError(f"Expected one of {FORMATS}, got {to!r}.")
    _, packages, install = BACKENDS[to]
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if absent:
        raise ImportError(f"--to {to} needs {', '.join(absent)}; run: {install}")


def save_graph(made: Any, folder: Path) -> None:
    """Writes an `ExportedModel`; of ONNX one file with the weights inside, as browsers load it."""
    made.save_pretrained(folder)
    outside = folder / f"{GRAPH}.data"
    if not (folder / GRAPH).is_file():
        return
    import onnx

    whole = onnx.load(str(folder / GRAPH))
    if rename_repeated(whole.graph) or outside.is_file():
        onnx.save_model(whole, str(folder / GRAPH), save_as_external_data=False)
        outside.unlink(missing_ok=True)


def rename_repeated(graph: Any) -> bool:
    """Gives every value its own name, and says whether one had none: the exporter calls an output as a model does.

    Values inside a graph are called as the operation that makes them, and CV-MIM has an output `view`. Where a name is
    made several times, the last is the output; nodes between read the one before them.
    """
    made = [name for node in graph.node for name in node.output if name]
    last = {name: made.count(name) - 1 for name in {each.name for each in graph.output} if made.count(name) > 1}
    seen: dict[str, int] = {}
    now: dict[str, str] = {}
    for node in graph.node if last else ():
        for place, name in enumerate(node.input):
            node.input[place] = now.get(name, name)
        for place, name in enumerate(node.output):
            if name in last:
                now[name] = name if seen.get(name, 0) == last[name] else f"{name}_before_{seen.get(name, 0)}"
                seen[name] = seen.get(name, 0) + 1
                node.output[place] = now[name]
    return bool(last)


class LabelSimilarities(nn.Module):
    """The text side of a zero-shot model: embeddings of motions and vectors of the text tower in, similarities out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model

    def forward(self, motion_embeds: Tensor, text_features: Tensor) -> Tensor:
        """`(n, projection_size)` and `(m, text_size)` to `(n, m)`."""
        return self.model.similarities(motion_embeds, self.model.get_text_features(text_features).pooler_output)


def save_label_graph(model: Any, folder: Path) -> None:
    """Writes `labels.onnx` of a `TMorModel`."""
    config = model.config
    inputs = (torch.randn(2, config.projection_size), torch.randn(3, config.text_size))
    shapes = ({0: Dim("motions")}, {0: Dim("labels")})
    with _quiet():
        program = torch.onnx.export(
            LabelSimilarities(model).eval(),
            inputs,
            input_names=["motion_embeds", "text_features"],
            output_names=["similarities"],
            dynamic_shapes=shapes,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    program.save(str(folder / LABELS), external_data=False)


def save_stream(model: Any, context: int, folder: Path) -> dict[str, Any]:
    """Writes `stream.onnx` of a segmentation model, and returns its facts."""
    step = StreamingStep(model, context=context).eval()
    joints, dims = model.config.num_joints, model.config.in_channels
    state = {name: torch.zeros(shape) for name, shape in step.shapes.items()}
    inputs = {
        "keypoints": torch.zeros(step.people, step.frames, joints, dims),
        "position": torch.tensor([0]),
        "length": torch.tensor([ENDLESS]),
        **state,
    }
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            step,
            tuple(inputs.values()),
            input_names=list(inputs),
            output_names=["score", *(f"next_{name}" for name in state)],
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    program.save(str(folder / STREAM), external_data=False)
    return step.facts()
