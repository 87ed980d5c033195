"""`python conversion/aberman2019.py`: the real weights on the real OpenPose people give the official results."""

import numpy as np
import pytest
import torch
from helpers import ROOT, load_script, read_json
from safetensors.torch import load_file, save_file
from transformers import AutoProcessor, pipeline

import motionhub


aberman = load_script("conversion/aberman2019.py")
VARIANTS = ("view", "skeleton", "full")
# Golden runs (SPECS 6.4): motion, body (and view).
PEOPLE = {
    "view": ("tall_man", "model"),
    "skeleton": ("tall_man", "small_man"),
    "full": ("tall_man", "small_man", "workout_march"),
}
# Sums of the motion code and of the static code of the first clip, and the error of its reconstruction.
SUMS = {"view": (188.457796, 16.085575, 0.060726), "skeleton": (1121.779996, 36.232993, 0.022729)}
SUMS["full"] = (72.751883, -1.473010 - 1.133310, 0.071616)
each_variant = pytest.mark.parametrize("variant", VARIANTS)


@pytest.fixture(scope="session")
def converted(shared, tmp_path_factory):
    """variant -> the folder with the real weights."""
    folder = tmp_path_factory.mktemp("aberman2019")
    assert aberman.main([str(shared("checkpoints/aberman2019")), str(folder)]) == 0
    return {variant: folder / f"retarget-{variant}-aberman" for variant in VARIANTS}


@pytest.fixture(scope="session")
def people(unzipped):
    """name -> the first 120 frames, as the official scripts read them."""
    folder = unzipped("data/openpose_body25_examples.zip") / "openpose"
    clips = {path.name: motionhub.read(path, fps=30, image_size=(720, 720))[0] for path in folder.iterdir()}
    return {name: clip.replace(keypoints=clip.keypoints[:, :120], confidence=None) for name, clip in clips.items()}


@pytest.fixture(scope="session")
def golden(shared):
    return np.load(shared("golden/aberman_golden.npz"))


@torch.no_grad()
@each_variant
def test_networks_give_the_golden_output(converted, people, golden, variant):
    model = motionhub.AutoModelForMotionRetargeting.from_pretrained(converted[variant])
    processor = AutoProcessor.from_pretrained(converted[variant])
    rows = [processor(people[name])["keypoints"][0, 0].flatten(1).T[None] for name in PEOPLE[variant]]
    for index, ours in enumerate(rows[:2]):
        np.testing.assert_allclose(ours, golden[f"{variant}_in{index + 1}"], rtol=0, atol=1e-5)
    inputs = [torch.from_numpy(golden[f"{variant}_in{index}"]) for index in (1, 2)] + rows[2:]
    np.testing.assert_allclose(model.transfer(*inputs), golden[f"{variant}_out"], rtol=0, atol=1e-5)
    motion, static = model.encode_motion(inputs[0]), model.encode_static(inputs[0])
    own_view = [inputs[0]] if variant == "full" else []
    error = (model.transfer(inputs[0], inputs[0], *own_view) - inputs[0]).square().mean()
    sums = [float(motion.sum()), float(error)]
    assert sums == pytest.approx([SUMS[variant][0], SUMS[variant][2]], rel=1e-4)
    if variant != "full":  # its printed codes are of three people
        assert float(static.sum()) == pytest.approx(SUMS[variant][1], rel=1e-5)


@torch.no_grad()
@each_variant
def test_pixels_are_the_golden_ones(converted, people, golden, variant):
    model = motionhub.AutoModelForMotionRetargeting.from_pretrained(converted[variant])
    for smoothing, name in ((2.0, "post_smooth"), (0.0, "post")):
        processor = AutoProcessor.from_pretrained(
            converted[variant], placement="image-centre", output_smoothing=smoothing
        )
        inputs = [processor(people[person]) for person in PEOPLE[variant]]
        points = processor.inverse(model.retarget(*inputs).keypoints[0], people["tall_man"])[0].numpy()
        on_canvas = points.transpose(1, 2, 0) * (512 / 720)
        np.testing.assert_allclose(on_canvas, golden[f"{variant}_{name}"], rtol=0, atol=1e-3)


def test_the_pipeline_puts_the_golden_motion_where_the_source_is(converted, people, golden):
    result = pipeline("motion-retargeting", model=str(converted["view"]))(people["tall_man"], people["model"])
    network_joints = result.keypoints[0, :, :15].transpose(1, 2, 0) * (512 / 720)
    apart = network_joints - golden["view_post_smooth"]
    # One shift for the whole clip: the official script starts in the middle of the canvas.
    np.testing.assert_allclose(apart, np.broadcast_to(apart[8:9, :, :1], apart.shape), rtol=0, atol=1e-3)


def test_the_real_body_changes_towards_the_target(converted, people):
    pipe = pipeline("motion-retargeting", model=str(converted["skeleton"]))
    _, (report,) = pipe(people["tall_man"], people["small_man"], return_report=True)
    assert report["bone_length_error"] < 0.6 * report["bone_length_error_of_source"]


def test_everything_of_the_published_folder_is_in_the_converted_one(converted):
    for variant, folder in converted.items():
        published = ROOT / "hub_configs" / f"retarget-{variant}-aberman"
        processor = AutoProcessor.from_pretrained(folder)
        assert processor.to_dict() == AutoProcessor.from_pretrained(published).to_dict()
        ours = read_json(folder / "config.json")
        assert read_json(published / "config.json").items() <= ours.items()
        assert "Converted from pretrained_" in (folder / "README.md").read_text(encoding="utf-8")


def official(variant="view", seed=0):
    """Random weights under the official names and shapes."""
    model = motionhub.RetargetNetModel(motionhub.RetargetNetConfig(variant=variant))
    names = {"motion_encoder": ("mot_encoder", 3, 1), "decoder": ("decoder", 5, 2)}
    generator, entries = torch.Generator().manual_seed(seed), {}
    for key, value in model.state_dict().items():
        module, kind, *rest = key.split(".")
        name, step, first = names.get(module, (module, 4, 1))
        place = "conv1x1" if kind == "compress" else f"model.{first + step * int(rest[0])}"
        entries[f"{name}.{place}.{rest[-1]}"] = torch.randn(value.shape, generator=generator) * 0.05
    return entries


def save(folder, entries, variant="view"):
    folder.mkdir(exist_ok=True)
    torch.save(entries, folder / "weights.pth")
    suffix = "" if variant == "skeleton" else "_with_view"
    np.save(folder / f"meanpose{suffix}.npy", np.zeros((15, 2)))
    np.save(folder / f"stdpose{suffix}.npy", np.ones((15, 2)))
    return folder / "weights.pth"


@each_variant
def test_a_file_is_recognised_and_converted_without_the_real_ones(tmp_path, capsys, variant):
    entries = official(variant)
    assert aberman.variant_of(entries) == variant
    source = save(tmp_path / "official", entries, variant)
    assert aberman.main([str(source), str(tmp_path / "out")]) == 0
    assert f"variant {variant!r}, {len(entries)} entries" in capsys.readouterr().out
    model = motionhub.AutoModelForMotionRetargeting.from_pretrained(tmp_path / "out")
    assert torch.equal(model.decoder.convs[1].weight, entries["decoder.model.7.weight"])


def test_lac_own_generator_and_other_networks_are_distinguished():
    assert aberman.variant_of({**official("view"), "mot_encoder.v": torch.zeros(160, 160)}) is None
    assert aberman.variant_of({"l1.s_unit.DepM": torch.zeros(1)}) is None
    without = {key: value for key, value in official("view").items() if not key.startswith("static_encoder")}
    assert aberman.variant_of(without) is None


def test_verification_finds_a_single_wrong_weight(tmp_path):
    entries = official("full")
    assert aberman.main([str(save(tmp_path / "official", entries, "full")), str(tmp_path / "out")]) == 0
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    tensors["view_encoder.convs.1.weight"] = tensors["view_encoder.convs.1.weight"].flip(0)
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(ValueError, match="differs from the official formulas"):
        aberman.verify(entries, tmp_path / "out")


class Payload:
    def __reduce__(self):
        return (print, ("ran",))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda entries: entries.pop("decoder.model.7.bias"), "decoder.convs.1.bias absent"),
        (lambda entries: entries.update({"decoder.norm": torch.zeros(2)}), "decoder.norm"),
        (lambda entries: entries.update({"decoder.model.7.bias": torch.zeros(3)}), r"(3,) instead of (64,)"),
        (lambda entries: entries.update({"mot_encoder.v": torch.zeros(2, 2)}), "not one of the official"),
        (lambda entries: entries.update(payload=Payload()), "refused or damaged"),
    ],
    ids=["missing", "unknown", "shape", "LAC", "code"],
)
def test_files_that_do_not_fit_are_reported_and_nothing_is_written(tmp_path, capsys, change, expected):
    entries = official()
    change(entries)
    assert aberman.main([str(save(tmp_path / "official", entries)), str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert expected in captured.err and "ran" not in captured.out
    assert not (tmp_path / "out").exists()


def test_files_that_are_not_there_or_cut(tmp_path, capsys):
    source = save(tmp_path / "official", official())
    (tmp_path / "empty").mkdir()
    assert aberman.main([str(tmp_path / "empty"), str(tmp_path / "out")]) == 1
    assert "has none of" in capsys.readouterr().err
    assert aberman.main([str(source), str(tmp_path / "out"), "--statistics", str(tmp_path / "empty")]) == 1
    assert "--statistics" in capsys.readouterr().err
    source.write_bytes(source.read_bytes()[:1000])
    assert aberman.main([str(source), str(tmp_path / "out")]) == 1
    assert "damaged" in capsys.readouterr().err
    assert aberman.main([str(tmp_path / "absent.pth"), str(tmp_path / "out")]) == 1
    assert "absent.pth cannot be read" in capsys.readouterr().err
