"""Official CV-MIM checkpoints: a table file written here by its specification, the key map, the transposes."""

import struct
from pathlib import Path

import numpy as np
import torch
from helpers import load_script
from transformers import AutoModel

from motionhub import AutoModelForActionClassification


tensor_bundle, cv_mim = (load_script(f"conversion/{name}.py") for name in ("tensor_bundle", "cv_mim"))
SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
JOINTS, WIDTH, CODES = 13, 8, 6


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def block_of(entries: list[tuple[bytes, bytes]]) -> bytes:
    """A LevelDB block with prefix-compressed keys and one restart."""
    out, before = b"", b""
    for key, value in entries:
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return out + struct.pack("<II", 0, 1)


def write_bundle(prefix, arrays: dict[str, np.ndarray], per_block: int = 5) -> None:
    """`tf.train.Checkpoint`'s files by their format; one shard."""
    data, entries = b"", [(b"", b"\x08\x01\x1a\x02\x08\x01")]
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        kind = {"float32": 1, "int64": 9}[str(array.dtype)]
        dims = b"".join(b"\x12" + varint(len(d)) + d for d in (b"\x08" + varint(size) for size in array.shape))
        value = b"\x08" + bytes([kind]) + b"\x12" + varint(len(dims)) + dims
        value += b"\x20" + varint(len(data)) + b"\x28" + varint(array.nbytes) + b"\x35" + bytes(4)
        entries.append((name.encode(), value))
        data += array.tobytes()
    entries.append((b"_CHECKPOINTABLE_OBJECT_GRAPH", b"\x08\x07\x12\x00\x28\x03"))
    entries.sort()
    table, handles = b"", []
    for start in range(0, len(entries), per_block):
        part = entries[start : start + per_block]
        block = block_of(part)
        handles.append((part[-1][0], varint(len(table)) + varint(len(block))))
        table += block + bytes(5)
    tail = []
    for block in (block_of([]), block_of(handles)):
        tail.append(varint(len(table)) + varint(len(block)))
        table += block + bytes(5)
    footer = b"".join(tail)
    table += footer + bytes(40 - len(footer)) + struct.pack("<Q", 0xDB4775248B80FB57)
    prefix.with_name(prefix.name + ".index").write_bytes(table)
    prefix.with_name(prefix.name + ".data-00000-of-00001").write_bytes(data)


def official(gaussian: bool = False) -> dict[str, np.ndarray]:
    """The arrays of an encoder, as the official code names and shapes them."""
    random = np.random.default_rng(0)
    arrays = {}

    def add(path: str, **shapes: tuple[int, ...]) -> None:
        for leaf, shape in shapes.items():
            values = random.normal(size=shape).astype(np.float32) * 0.3
            arrays[f"model/encoder/blocks/{path}/{leaf}{SUFFIX}"] = (
                np.abs(values) + 0.5 if "variance" in leaf else values
            )

    def layers(path: str, given: int, count: int) -> None:
        for index in range(count):
            add(f"{path}layer_with_weights-{2 * index}", kernel=(given if not index else WIDTH, WIDTH), bias=(WIDTH,))
            names = ("gamma", "beta", "moving_mean", "moving_variance")
            add(f"{path}layer_with_weights-{2 * index + 1}", **dict.fromkeys(names, (WIDTH,)))

    layers("1/", 2 * JOINTS, 1)
    for block in (2, 3):
        layers(f"{block}/linear_layers/", WIDTH, 2)
    for name in ("embedder_mean", "embedder_logvar") if gaussian else ("embedder",):
        add(f"4/{name}", kernel=(WIDTH, CODES), bias=(CODES,))
    slot = f"model/encoder/blocks/4/embedder/kernel/.OPTIMIZER_SLOT/encoder_optimizer/accumulator{SUFFIX}"
    arrays[slot] = np.zeros((WIDTH, CODES), np.float32)
    arrays[f"model/subencoder/blocks/0/linear_layers/layer_with_weights-0/bias{SUFFIX}"] = np.zeros(WIDTH, np.float32)
    arrays[f"save_counter{SUFFIX}"] = np.array(1)
    return arrays


def forward(arrays: dict[str, np.ndarray], poses: np.ndarray) -> np.ndarray:
    """The official forward pass on the official arrays, outside training."""
    get = {name.removeprefix("model/encoder/blocks/").removesuffix(SUFFIX): value for name, value in arrays.items()}

    def dense(path: str, rows: np.ndarray) -> np.ndarray:
        return rows @ get[f"{path}/kernel"] + get[f"{path}/bias"]

    def layer(path: str, rows: np.ndarray, first: int) -> np.ndarray:
        rows, norm = dense(f"{path}layer_with_weights-{first}", rows), f"{path}layer_with_weights-{first + 1}"
        rows = (rows - get[f"{norm}/moving_mean"]) / np.sqrt(get[f"{norm}/moving_variance"] + 1e-3)
        return np.maximum(rows * get[f"{norm}/gamma"] + get[f"{norm}/beta"], 0)

    rows = layer("1/", poses[..., ::-1].reshape(len(poses), -1), 0)
    for block in (2, 3):
        path = f"{block}/linear_layers/"
        rows = rows + layer(path, layer(path, rows, 0), 2)
    return dense("4/embedder", rows)


def test_a_table_file_gives_the_arrays_back(tmp_path):
    arrays = official()
    write_bundle(tmp_path / "ckpt", arrays)
    read = tensor_bundle.read_bundle(tmp_path / "ckpt")
    assert read.keys() == arrays.keys()
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    assert tensor_bundle.read_bundle(tmp_path / "ckpt.index").keys() == arrays.keys()


@torch.no_grad()
def test_a_converted_encoder_gives_the_official_output(tmp_path, capsys):
    arrays = official()
    write_bundle(tmp_path / "ckpt", arrays)
    assert cv_mim.main([str(tmp_path / "ckpt"), str(tmp_path / "out")]) == 0
    assert "verified against the official formulas" in capsys.readouterr().out
    model = AutoModel.from_pretrained(tmp_path / "out")
    assert (model.config.pose_size, model.config.view_size, model.config.missing_joints) == (3, 3, "official")
    poses = np.random.default_rng(1).normal(size=(5, JOINTS, 2)).astype(np.float32)
    codes = model.encode(torch.from_numpy(poses))
    np.testing.assert_allclose(torch.cat([codes.pose, codes.view], 1), forward(arrays, poses), atol=1e-4, rtol=1e-4)


def test_a_gaussian_embedder_and_its_sizes(tmp_path):
    write_bundle(tmp_path / "ckpt", official(gaussian=True))
    words = [str(tmp_path / "ckpt"), str(tmp_path / "out"), "--pose_size", "6", "--embedder", "gaussian-elu"]
    assert cv_mim.main(words) == 0
    config = AutoModel.from_pretrained(tmp_path / "out").config
    assert (config.embedder, config.pose_size, config.view_size) == ("gaussian-elu", 6, 0)


def test_names_that_count_all_layers_are_the_same_weights():
    arrays = official()
    places = {"layer_with_weights-2": "layer-4", "layer_with_weights-3": "layer-5"}
    places |= {"layer_with_weights-0": "layer-0", "layer_with_weights-1": "layer-1"}
    renamed = {}
    for name, array in arrays.items():
        for old, new in places.items():
            name = name.replace(old, new)
        renamed[name] = array
    one, other = cv_mim.convert_encoder(arrays), cv_mim.convert_encoder(renamed)
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@torch.no_grad()
def test_a_head_of_conv1d_kernels_is_transposed(tmp_path):
    random = np.random.default_rng(2)
    sizes = [(3, 64), (64, 128), (128, 256)]
    arrays = {}
    for index, (given, made) in enumerate(sizes):
        arrays[f"model/layer_with_weights-{2 * index}/kernel{SUFFIX}"] = random.normal(size=(7, given, made))
        arrays[f"model/layer_with_weights-{2 * index}/bias{SUFFIX}"] = random.normal(size=made)
        for leaf in ("gamma", "beta", "moving_mean", "moving_variance"):
            arrays[f"model/layer_with_weights-{2 * index + 1}/{leaf}{SUFFIX}"] = random.uniform(0.5, 1, size=made)
    arrays[f"model/layer_with_weights-6/kernel{SUFFIX}"] = random.normal(size=(256, 4))
    arrays[f"model/layer_with_weights-6/bias{SUFFIX}"] = random.normal(size=4)
    arrays = {name: value.astype(np.float32) for name, value in arrays.items()}
    write_bundle(tmp_path / "encoder", official())
    write_bundle(tmp_path / "head", arrays)
    assert cv_mim.main([str(tmp_path / "encoder"), str(tmp_path / "out"), "--head", str(tmp_path / "head")]) == 0
    model = AutoModelForActionClassification.from_pretrained(tmp_path / "out").eval()
    assert model.config.num_labels == 4
    features = random.normal(size=(1, 9, 3)).astype(np.float32)
    made, _ = model.classifier.convs[0](torch.from_numpy(features), torch.tensor([9]))
    kernel, bias = (arrays[f"model/layer_with_weights-0/{leaf}{SUFFIX}"] for leaf in ("kernel", "bias"))
    padded = np.pad(features[0], ((3, 3), (0, 0)))  # nine frames, odd: three on both sides
    expected = [np.einsum("kc,kco->o", padded[start : start + 7], kernel) + bias for start in range(0, 9, 2)]
    np.testing.assert_allclose(made[0], expected, atol=1e-3, rtol=1e-3)


def test_what_is_no_checkpoint_is_said_in_one_line(tmp_path, capsys):
    prefix = tmp_path / "ckpt"
    assert cv_mim.main([str(prefix), str(tmp_path / "out")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    write_bundle(prefix, official())
    index, data = tmp_path / "ckpt.index", tmp_path / "ckpt.data-00000-of-00001"
    whole, bytes_of_data = index.read_bytes(), data.read_bytes()
    for broken, message in ((whole[:-9], "no table"), (whole[:40] + whole[-48:], "cut short"), (b"", "no table")):
        index.write_bytes(broken)
        assert cv_mim.main([str(prefix), str(tmp_path / "out")]) == 1
        assert message in capsys.readouterr().err
    index.write_bytes(whole)
    data.write_bytes(bytes_of_data[:100])
    assert cv_mim.main([str(prefix), str(tmp_path / "out")]) == 1
    assert "cut short" in capsys.readouterr().err
    write_bundle(prefix, {f"model/encoder/blocks/1/conv/kernel{SUFFIX}": np.zeros((2, 2), np.float32)})
    assert cv_mim.main([str(prefix), str(tmp_path / "out")]) == 1
    assert "official encoder" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_any_damage_to_the_index_is_a_value_error_or_harmless(tmp_path):
    write_bundle(tmp_path / "ckpt", {f"a{SUFFIX}": np.arange(6, dtype=np.float32).reshape(2, 3)})
    index = tmp_path / "ckpt.index"
    whole = index.read_bytes()
    for position in range(0, len(whole)):
        index.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        try:
            tensor_bundle.read_bundle(tmp_path / "ckpt")
        except ValueError:
            pass


@torch.no_grad()
def test_a_checkpoint_that_tensorflow_wrote_gives_what_tensorflow_computed(tmp_path):
    """By TensorFlow 2.19 with Keras 2: the official layers at width 16, after 50 batches that moved the statistics."""
    folder = Path(__file__).with_name("tensorflow_checkpoint")
    assert cv_mim.main([str(folder / "ckpt-1"), str(tmp_path)]) == 0
    with np.load(folder / "poses_and_codes.npz") as stored:
        poses, expected = stored["xy"], stored["out"]
    codes = AutoModel.from_pretrained(tmp_path).encode(torch.from_numpy(poses.copy()))
    np.testing.assert_allclose(torch.cat([codes.pose, codes.view], 1), expected, atol=1e-5)
