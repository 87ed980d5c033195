"""ST-GCN's laws: the published equations written plainly, the partition of the graph, and learned edges."""

import pytest
import torch
from helpers import load_script
from official_graph_models import PlainStGcn, st_gcn_graph
from official_unik import probe, probe_input, to_keypoints

from motionhub.models.st_gcn import StGcnConfig, StGcnForActionClassification, StGcnModel
from motionhub.skeletons.graph import spatial_configuration
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout


conversion = load_script("conversion/st_gcn.py")
CROS_SCLR_WIDTHS = [16] * 4 + [32] * 3 + [64, 64, 256]


def names(count):
    return {index: str(index) for index in range(count)}


def pair(conversion, widths=None, importance=True, linear=False, labels=7):
    """The plain network and ours with the same weights: the deterministic fill."""
    graph = st_gcn_graph()
    plain = PlainStGcn(
        labels, 3, graph, importance=importance, linear=linear, **({"widths": widths} if widths else {})
    )
    official = probe({key: tuple(value.shape) for key, value in plain.state_dict().items()})
    plain.load_state_dict({**official, "A": graph})
    sizes = {"channels": widths, "strides": [1, 1, 1, 1, 2, 1, 1, 2, 1, 1]} if widths else {}
    config = StGcnConfig(id2label=names(labels), pooling="official", edge_importance=importance, **sizes)
    model = StGcnForActionClassification(config).eval()
    model.load_state_dict(conversion.ST_GCN.convert_state_dict(plain.state_dict()))
    return plain.eval(), model


@torch.no_grad()
@pytest.mark.parametrize(
    "options",
    [{}, {"importance": False}, {"widths": CROS_SCLR_WIDTHS, "linear": True}],
    ids=["", "fixed", "cros-sclr"],
)
def test_logits_are_those_of_the_published_equations(options):
    plain, model = pair(conversion, **options)
    inputs = probe_input(2, 3, 32, 25, 2)
    expected = plain(inputs)
    torch.testing.assert_close(model(to_keypoints(inputs)).logits, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(model.fuse()(to_keypoints(inputs)).logits, expected, atol=1e-5, rtol=1e-5)


def test_one_training_step_is_that_of_the_published_equations():
    plain, model = pair(conversion, widths=[8] * 4 + [16] * 3 + [16] * 3)
    plain, model = plain.double().train(), model.double().train()
    inputs, labels = probe_input(3, 3, 12, 25, 2).double(), torch.tensor([0, 3, 6])
    torch.nn.functional.cross_entropy(plain(inputs), labels).backward()
    model(to_keypoints(inputs), labels=labels).loss.backward()
    gradients = {key: parameter.grad for key, parameter in plain.named_parameters()}
    expected = conversion.ST_GCN.convert_state_dict({**gradients, "A": plain.A})
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad.float(), expected[name], atol=1e-5, rtol=1e-4, msg=name)


def test_the_graph_of_ntu_is_the_hand_written_one():
    torch.testing.assert_close(StGcnModel(StGcnConfig(channels=[4])).graph.subsets, st_gcn_graph())


def test_the_partition_of_a_stick_is_the_closed_form():
    stick = SkeletonLayout("stick", ("hip", "chest", "head"), (("chest", "hip"), ("head", "chest")), root="hip")
    itself, inward, outward = spatial_configuration(stick)
    half, third = 1 / 2, pytest.approx(1 / 3)
    assert itself.tolist() == [[half, 0, 0], [0, third, 0], [0, 0, half]]
    assert inward.tolist() == [[0, 0, 0], [half, 0, 0], [0, third, 0]]  # hip takes from chest, chest from head
    assert outward.tolist() == [[0, third, 0], [0, 0, half], [0, 0, 0]]
    assert spatial_configuration(stick, "head")[2].tolist() == [[0, 0, 0], [half, 0, 0], [0, third, 0]]


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=lambda layout: layout.name)
def test_the_three_parts_of_every_layout_share_each_joint_out(layout):
    subsets = spatial_configuration(layout)
    assert subsets.sum(axis=(0, 1)) == pytest.approx(1)
    assert ((subsets > 0).sum(axis=0) <= 1).all()
    edges = sum(child != parent for child, parent in layout.bones)
    assert (subsets > 0).sum(axis=(1, 2)).tolist() == [layout.num_joints, edges, edges]


@torch.no_grad()
def test_a_new_order_of_joints_is_undone_by_the_graph_and_the_importance():
    torch.manual_seed(0)
    layout, order = get_layout("lac-15"), torch.randperm(15, generator=torch.Generator().manual_seed(3))
    config = StGcnConfig(layout="lac-15", num_joints=15, channels=[8, 16], id2label=names(4))
    model, other = (StGcnForActionClassification(config).double().eval() for _ in range(2))
    for block in model.encoder.blocks:
        block.spatial.importance.normal_(1, 0.5)
    for parameter in model.parameters():
        parameter.add_(torch.randn_like(parameter) * 0.1)
    weights = {key: value.clone() for key, value in model.state_dict().items()}
    for key, value in weights.items():
        if key.endswith("importance"):
            weights[key] = value[:, order][:, :, order]
        elif "input_norm" in key and value.dim():
            weights[key] = value.view(15, 3)[order].flatten()
    other.load_state_dict(weights)
    keypoints = torch.randn(3, 2, 12, 15, 3, dtype=torch.double)
    expected = model(keypoints).logits
    assert (other(keypoints[:, :, :, order]).logits - expected).abs().max() > 1e-3
    shuffled = SkeletonLayout("shuffled", tuple(layout.joints[i] for i in order), layout.bones, layout.root)
    other.encoder.graph.subsets.copy_(torch.from_numpy(spatial_configuration(shuffled)))
    torch.testing.assert_close(other(keypoints[:, :, :, order]).logits, expected)


@torch.no_grad()
def test_initial_values_are_the_official_ones():
    torch.manual_seed(0)
    model = StGcnForActionClassification(StGcnConfig(id2label=names(60)))
    block = model.encoder.blocks[4]
    assert (block.spatial.importance == 1).all()
    for layer in (block.spatial.value, block.temporal.conv, block.residual.conv, model.classifier):
        assert float(layer.weight.std()) == pytest.approx(0.02, rel=0.05) and not layer.bias.any()
    assert float(block.temporal.norm.weight.mean()) == pytest.approx(1, abs=0.01)
    assert float(block.temporal.norm.weight.std()) == pytest.approx(0.02, rel=0.3)


def test_dropout_acts_in_training_only_and_not_in_the_first_block():
    torch.manual_seed(0)
    config = StGcnConfig(layout="lac-15", num_joints=15, channels=[8, 8], dropout=0.9)
    model, keypoints = StGcnModel(config), torch.randn(2, 2, 9, 15, 3)
    states = [model.train()(keypoints, output_hidden_states=True).hidden_states for _ in range(2)]
    assert torch.equal(states[0][1], states[1][1]) and not torch.equal(states[0][2], states[1][2])
    model.eval()
    assert torch.equal(model(keypoints).pooler_output, model(keypoints).pooler_output)


@torch.no_grad()
def test_all_person_slots_are_treated_alike_unlike_in_agcn():
    torch.manual_seed(0)
    model = StGcnModel(StGcnConfig(layout="lac-15", num_joints=15, channels=[8])).eval()
    model.input_norm.running_mean.normal_()
    one, two = torch.randn(2, 1, 9, 15, 3).chunk(2)
    both, turned = model(torch.cat([one, two], 1)), model(torch.cat([two, one], 1))
    torch.testing.assert_close(both.pooler_output, turned.pooler_output)
    assert both.attentions is None and model(one, output_attentions=True).attentions == ()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"layout": "posetics-17"}, "17 joints"),
        ({"centre_joint": "belly"}, "no joint 'belly'"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_sizes_that_make_no_model_are_refused(wrong, message):
    with pytest.raises(Exception, match=message):
        StGcnConfig(**wrong)
