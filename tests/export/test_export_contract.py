"""Every family of skeletons as an ONNX graph with any batch, and any number of frames where the family allows it.

Compared with the model; needs the exporters.
"""

import os
import warnings

import numpy as np
import pytest
import torch
from test_model_contract import SKELETON_MODELS, make

from motionhub.export.graphs import exported, rename_repeated, sample_inputs, save_graph, takes_any_frames
from motionhub.runtime.graph import INPUTS, open_session, whole_steps


# A graph takes about ten seconds: these in every run, all of them with MOTIONHUB_EVERY_GRAPH=1. That the branches for
# graphs answer as the models do is a law of test_fixed_shapes.py, for all of them and without tracing.
ALWAYS = {"UnikForActionSegmentation", "AgcnModel", "TMorModel", "LacModel"}
CHOSEN = [each for each in SKELETON_MODELS if each[1].__name__ in ALWAYS or os.environ.get("MOTIONHUB_EVERY_GRAPH")]


def inputs_of(config, frames: int, batch: int) -> dict[str, torch.Tensor]:
    """Clips with missing joints, a shorter clip, and an absent person where there are two."""
    made = [sample_inputs(config, frames, seed) for seed in range(-(-batch // 2))]
    inputs = {name: torch.cat([each[name] for each in made])[:batch] for name in INPUTS}
    inputs["attention_mask"][0, :, frames - 3 :] = False
    if inputs["attention_mask"].shape[1] > 1:
        inputs["attention_mask"][-1, 1] = False
    return inputs


@pytest.mark.slow
@pytest.mark.towers("timm")  # the environment that has onnxscript
@pytest.mark.parametrize(("family", "model_class"), CHOSEN, ids=lambda value: getattr(value, "__name__", "of"))
def test_every_family_is_a_graph_that_answers_as_the_model(family, model_class, tmp_path):
    model = make(family, model_class).eval()
    stride, any_frames = getattr(model.config, "frame_stride", 1), takes_any_frames(model.config)
    frames = whole_steps(family.clip[1], stride) if any_frames else family.clip[1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = sample_inputs(model.config, frames)
        save_graph(exported(model, given, "onnx", dynamic_frames=any_frames), tmp_path)
    assert not (tmp_path / "model.onnx.data").exists(), "one file holds the graph and its weights"
    session = open_session(tmp_path / "model.onnx", threads=1)
    names = [each.name for each in session.get_inputs()]
    for batch, length in ((1, frames), (3, 2 * frames + 3 * stride if any_frames else frames)):
        inputs = inputs_of(model.config, length, batch)
        with torch.inference_mode():
            outputs = model(**inputs)
        # Motion retargeting has keypoints on both sides: transformers then says which is which.
        made = session.run(None, {name: inputs[name.removeprefix("input.")].numpy() for name in names})
        compared = 0
        for output, value in zip(session.get_outputs(), made, strict=True):
            expected = outputs.get(output.name.removeprefix("output."))
            if isinstance(expected, torch.Tensor):
                np.testing.assert_allclose(value, expected.numpy(), atol=1e-4, rtol=1e-3, err_msg=output.name)
                compared += 1
        assert compared, f"no output of {list(outputs)} is in the graph"


def test_a_value_that_is_called_as_an_output_gets_another_name():
    onnx = pytest.importorskip("onnx")
    make_node = onnx.helper.make_node
    nodes = [make_node("Neg", ["x"], ["view"]), make_node("Abs", ["view"], ["y"]), make_node("Exp", ["y"], ["view"])]
    of = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("x", "view")]
    graph = onnx.helper.make_graph(nodes, "graph", of[:1], of[1:])
    assert rename_repeated(graph)
    assert [(list(node.input), list(node.output)) for node in graph.node] == [
        (["x"], ["view_before_0"]),
        (["view_before_0"], ["y"]),
        (["y"], ["view"]),
    ]
    assert not rename_repeated(graph)
