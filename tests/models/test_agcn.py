"""2s-AGCN's laws: the official numbers, a graph that comes from the layout, what depends on the order of joints."""

import numpy as np
import pytest
import torch
from helpers import load_script
from official_graph_models import NTU_EDGES, PlainAgcn, agcn_graph
from official_unik import probe, probe_input, to_keypoints
from safetensors.torch import load_file, save_file

from motionhub.models.agcn import AgcnConfig, AgcnForActionClassification, AgcnModel
from motionhub.models.unik import UnikConfig, UnikForActionClassification
from motionhub.skeletons.graph import adjacency_subsets
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import get_layout


conversion = load_script("conversion/agcn.py")


def names(count):
    return {index: str(index) for index in range(count)}


def filled(conversion, labels=60):
    """Our model with the deterministic fill under the official names, and the official entries."""
    plain = PlainAgcn(labels, 2, 3, agcn_graph())
    official = probe({key: tuple(value.shape) for key, value in plain.state_dict().items()})
    model = AgcnForActionClassification(AgcnConfig(id2label=names(labels), pooling="official")).eval()
    missing, unexpected = model.load_state_dict(conversion.AGCN.convert_state_dict(official), strict=False)
    assert (missing, unexpected) == (["encoder.graph.subsets"], [])
    return model, plain, official


@torch.no_grad()
def test_logits_are_the_golden_ones(shared):
    model, _, _ = filled(conversion)
    logits = model(to_keypoints(probe_input(2, 3, 32, 25, 2))).logits
    np.testing.assert_allclose(logits, np.load(shared("golden/agcn.npz"))["AGCN"], atol=1e-5)


@torch.no_grad()
def test_printed_probe_values_and_the_plain_network_agree_without_the_golden_file():
    model, plain, official = filled(conversion)
    plain.load_state_dict(official)
    inputs = probe_input(2, 3, 32, 25, 2)
    logits = model(to_keypoints(inputs)).logits
    torch.testing.assert_close(
        logits[0, :4], torch.tensor([0.277322, 0.186048, 0.045878, -0.111332]), atol=2e-6, rtol=0
    )
    assert float(logits.sum()) == pytest.approx(-0.538616, abs=1e-4)
    torch.testing.assert_close(plain.eval()(inputs), logits, atol=1e-5, rtol=1e-5)


def test_the_official_state_dict_has_352_entries_and_each_is_used_once():
    _, _, official = filled(conversion)
    assert len(official) == 352
    converted = conversion.AGCN.convert_state_dict(official)
    assert sum(t.numel() for t in converted.values()) == sum(t.numel() for t in official.values())


@pytest.mark.parametrize(
    ("layout", "labels", "expected"),
    [
        ("ntu-25", 60, 3_469_510),
        ("ntu-25", 120, 3_484_930),
        ("openpose-18", 400, 3_547_776),
        ("ntu-25", 128, 3_486_986),
    ],
)
def test_parameters_are_the_official_ones(layout, labels, expected):
    joints = get_layout(layout).num_joints
    with torch.device("meta"):
        model = AgcnForActionClassification(AgcnConfig(layout=layout, num_joints=joints, id2label=names(labels)))
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_the_graph_is_the_hand_written_one_and_comes_back_where_a_file_has_none(tmp_path):
    model = small(AgcnConfig)
    torch.testing.assert_close(AgcnModel(AgcnConfig(channels=[4])).graph.subsets, agcn_graph())
    assert len(NTU_EDGES) == 24
    model.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    graph = tensors.pop("encoder.graph.subsets")
    save_file(tensors, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = AgcnForActionClassification.from_pretrained(tmp_path)
    assert torch.equal(loaded.encoder.graph.subsets, graph)
    assert torch.equal(loaded.encoder.blocks[1].spatial.dependency, model.encoder.blocks[1].spatial.dependency)


@torch.no_grad()
def test_initial_values_are_the_official_ones():
    torch.manual_seed(0)
    spatial = AgcnModel(AgcnConfig(channels=[64, 64])).blocks[1].spatial
    assert (spatial.dependency == 1e-6).all() and (spatial.norm.weight == 1e-6).all()
    assert spatial.value.weight.std().item() == pytest.approx((2 / (64 * 64 * 3)) ** 0.5, rel=0.05)


def test_a_layout_with_other_joints_is_refused():
    with pytest.raises(Exception, match="17 joints, but num_joints is 25"):
        AgcnConfig(layout="posetics-17")
    with pytest.raises(Exception, match="Unknown layout"):
        AgcnConfig(layout="nutu-25")


# The order of joints. LAC-15 with its joints in another order is the same skeleton under another numbering.
LAYOUT = get_layout("lac-15")
ORDER = torch.randperm(15, generator=torch.Generator().manual_seed(3))
SHUFFLED = SkeletonLayout("shuffled", tuple(LAYOUT.joints[i] for i in ORDER), LAYOUT.bones, LAYOUT.root)


def small(config_class, **changes):
    """Two blocks on LAC-15 with random weights, matrices and norms, in double precision."""
    torch.manual_seed(0)
    head = AgcnForActionClassification if config_class is AgcnConfig else UnikForActionClassification
    model = head(
        config_class(
            layout="lac-15",
            num_joints=15,
            in_channels=3,
            channels=[8, 16],
            strides=[1, 2],
            id2label=names(4),
            **changes,
        )
    )
    for module in model.modules():
        if hasattr(module, "running_mean"):
            module.weight.data.uniform_(0.5, 1.5)
            module.running_mean.normal_(0, 0.1)
        if hasattr(module, "dependency"):
            module.dependency.data.normal_(0, 0.3)
    return model.double().eval()


def renumbered(model):
    """The same weights for joints in the new order: everything but a graph, which is not learned."""
    other = type(model)(model.config).double().eval()
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    for key, value in weights.items():
        if key.endswith("spatial.dependency"):
            weights[key] = value[:, ORDER][:, :, ORDER]
        elif "input_norm" in key and value.dim():
            weights[key] = value.view(2, 15, 3)[:, ORDER].flatten()
    other.load_state_dict(weights)
    return other


@torch.no_grad()
def test_a_new_order_of_joints_is_undone_by_the_matrices_of_unik_and_by_the_graph_of_agcn():
    keypoints = torch.randn(3, 2, 12, 15, 3, generator=torch.Generator().manual_seed(1), dtype=torch.double)
    unik, agcn = small(UnikConfig), small(AgcnConfig)
    torch.testing.assert_close(renumbered(unik)(keypoints[:, :, :, ORDER]).logits, unik(keypoints).logits)
    other = renumbered(agcn)
    wrong = other(keypoints[:, :, :, ORDER]).logits
    assert (wrong - agcn(keypoints).logits).abs().max() > 0.05  # the joints moved, the graph did not
    other.encoder.graph.subsets.copy_(torch.from_numpy(adjacency_subsets(SHUFFLED)))
    torch.testing.assert_close(other(keypoints[:, :, :, ORDER]).logits, agcn(keypoints).logits)


@torch.no_grad()
def test_folding_batch_norm_changes_no_output():
    model = small(AgcnConfig)
    keypoints = torch.randn(2, 2, 9, 15, 3, dtype=torch.double)
    torch.testing.assert_close(model.fuse()(keypoints).logits, model(keypoints).logits)


@torch.no_grad()
def test_dependencies_are_graph_plus_learned_matrix_plus_attention():
    model = small(AgcnConfig)
    out = model(torch.randn(2, 2, 9, 15, 3, dtype=torch.double), output_attentions=True)
    for block, attention, dependency in zip(model.encoder.blocks, out.attentions, out.dependencies, strict=True):
        expected = model.encoder.graph.subsets + block.spatial.dependency
        torch.testing.assert_close(dependency - attention, expected.expand_as(attention))
        torch.testing.assert_close(attention.sum(-2), torch.ones_like(attention[..., 0, :]))
