"""Small files that announce, share, nest or repeat more than a recording: the kinds that random damage does not find.

Each is made by the grammar of its format, valid up to the one thing that it does too much.
"""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io


PIXELS = {"layout": "coco-17", "fps": 30, "unit": "pixel"}
METRES = {"fps": 30, "unit": "metre"}


@dataclass(frozen=True)
class Hostile:
    """A file by its name, how its content is made, and what `motionhub.read` is told.

    Args:
        what: the one thing that is too much.
        read: whether it may be read as clips; if not it must be refused.
    """

    what: str
    file: str
    make: Callable[[], bytes]
    options: dict[str, Any] = field(default_factory=dict)
    may_read: bool = False


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def packed(name: str, array: np.ndarray, **others: Any) -> bytes:
    """An archive of one array that packs as well as the readers' limit allows, and of small others."""
    noise = np.random.default_rng(0).integers(-128, 127, array.size // 85, np.int8)
    values = array.ravel()
    values[: len(noise)] = noise
    return npz(**{name: values.reshape(array.shape), **others})


def mat(**variables: Any) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    return stream.getvalue()


def text_of_json(value: Any) -> bytes:
    return json.dumps(value).encode()


# Pickles


def annotated(keypoint: Any, **others: Any) -> bytes:
    return pickle.dumps({"annotations": [{"keypoint": keypoint, **others}]}, 4)


def shared_lists(levels: int) -> list[Any]:
    """Each list holds the next one twice: two to the power of `levels` numbers in a few hundred bytes."""
    nested: list[Any] = [1.0]
    for _ in range(levels):
        nested = [nested, nested]
    return nested


def itself() -> list[Any]:
    nested: list[Any] = []
    nested.append(nested)
    return nested


def _nested_keys(levels: int) -> bytes:
    """Written by hand: to hash the key would take longer than the universe has."""
    opened = b"\x80\x04}\x94K\x01\x940"
    twice = b"".join(b"h" + bytes([number]) + b"h" + bytes([number]) + b"\x86\x940" for number in range(1, levels))
    return opened + twice + b"h" + bytes([levels]) + b"K\x01s."


def _doubled(count: int) -> bytes:
    """As many numbers on the unpickler's stack, the last doubled as many times, below some tuples."""
    return b"\x80\x04(" + b")\x85" * 20 + b"K\x01" * count + b"2" * count + b"l."


def _as_joblib(content: bytes) -> bytes:
    """The same pickle with a text in it by which it passes as one of joblib."""
    name = b"joblib.numpy_pickle"
    return content[:2] + b"\x8c" + bytes([len(name)]) + name + b"0" + content[2:]


def _keys_of_one_hash(count: int) -> bytes:
    parts = [b"\x80\x04}("]
    for number in range(1, count):
        whole = number * (2**61 - 1)
        content = whole.to_bytes((whole.bit_length() + 8) // 8, "little")
        parts.append(b"\x8a" + bytes([len(content)]) + content + b"K\x00")
    return b"".join(parts) + b"u."


def _shared_annotation() -> bytes:
    return pickle.dumps({"annotations": [{"keypoint": np.ones((1, 1000, 17, 2), np.int8)}] * 200_000}, 4)


def _shared_frame(people: int) -> bytes:
    return pickle.dumps([[{"keypoints": np.ones((17, 3), np.float32)}] * people] * 100_000, 4)


def _wide_tensor() -> bytes:
    """A pickled tensor of stride 0: gigabytes of one byte of data."""
    import torch

    stored = io.BytesIO()
    torch.save(torch.zeros(4, dtype=torch.uint8).storage(), stored, _use_new_zipfile_serialization=False)

    class Stored:
        def __reduce__(self) -> Any:
            return torch.storage._load_from_bytes, (stored.getvalue(),)

    class Tensor:
        def __reduce__(self) -> Any:
            return torch._utils._rebuild_tensor_v2, (Stored(), 0, (3, 40_000, 40_000), (0, 0, 0), False, {})

    return pickle.dumps([[np.zeros(4), Tensor()], None], 2)


# Archives


def _repeated_entries(count: int) -> bytes:
    """An honest array under the same name again and again."""
    import warnings

    stream, content = io.BytesIO(), npy(np.zeros((1, 480_000, 17, 2), np.int8))
    with warnings.catch_warnings(), zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for _ in range(count):
            archive.writestr("keypoints.npy", content)
    return stream.getvalue()


def _overlapping_entries(count: int) -> bytes:
    """One deflate stream with thousands of entries of the directory that point at it."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("keypoints.npy", npy(np.zeros((1, 480_000, 17, 2), np.int8)))
    whole = stream.getvalue()
    start = whole.rindex(b"PK\x01\x02")
    end = whole.rindex(b"PK\x05\x06")
    entry = whole[start:end]
    closing = bytearray(whole[end:])
    struct.pack_into("<HHII", closing, 8, count, count, len(entry) * count, start)
    return whole[:start] + entry * count + bytes(closing)


def _many_arrays(count: int) -> bytes:
    """Arrays of other names that nobody asked for, and each wanted one at its limit."""
    wide = np.zeros((1, 480_000, 17, 2), np.int8)
    names = ("keypoints", "kpts", "confidence", "scores", "keypoint_score", "track_ids", "fps", "joints", "layout")
    return npz(**dict.fromkeys(names[:count], wide))


# Names


def _joints(count: int) -> list[str]:
    return [f"j{number}" for number in range(count)]


def _layout(count: int) -> str:
    return json.dumps({"name": "x", "joints": _joints(count), "bones": [], "root": "j0"})


def _csv(count: int) -> bytes:
    header = ",".join(f"j{n}_x,j{n}_y" for n in range(count))
    return f"{header}\n{','.join(['1'] * 2 * count)}\n".encode()


def _long_csv(count: int) -> bytes:
    return ("frame,joint,x,y\n" + "".join(f"0,j{n},1,2\n" for n in range(count))).encode()


def _trc(count: int) -> bytes:
    names = "\t\t\t".join(_joints(count))
    axes = "\t".join(f"X{n + 1}\tY{n + 1}\tZ{n + 1}" for n in range(count))
    facts = f"100\t100\t1\t{count}\tmm\t100\t1\t1"
    keys = "DataRate\tCameraRate\tNumFrames\tNumMarkers\tUnits\tOrigDataRate\tOrigDataStartFrame\tOrigNumFrames"
    row = "1\t0\t" + "\t".join(["1"] * 3 * count)
    return f"PathFileType\t4\t(X/Y/Z)\ta.trc\n{keys}\n{facts}\nFrame#\tTime\t{names}\n\t\t{axes}\n{row}\n".encode()


def _bvh(count: int, deep: bool) -> bytes:
    head = (
        "HIERARCHY\nROOT j0\n{\nOFFSET 0 0 0\nCHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation\n"
    )
    opened = "JOINT j{}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n"
    end = "End Site\n{\nOFFSET 0 1 0\n}\n"
    joints = [opened.format(n) for n in range(1, count)]
    body = "".join(joints) + end + "}\n" * count if deep else "".join(f"{each}{end}}}\n" for each in joints) + "}\n"
    return f"{head}{body}MOTION\nFrames: 1\nFrame Time: 0.0333333\n0 0 0 0 0 0\n".encode()


def _named_npz(count: int) -> bytes:
    joints = np.array(_joints(count))
    facts = {"layout": np.array("x"), "bones": np.zeros((0, 2), "U1"), "root": np.array("j0")}
    return npz(keypoints=np.ones((1, 2, count, 2), np.int8), joints=joints, **facts)


def _layout_parquet(count: int) -> bytes:
    row = {"keypoints": [[[[1.0, 2.0]]]], "layout": _layout(count), "fps": 30.0, "unit": "pixel"}
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([row]), stream)
    return stream.getvalue()


def _layout_json(count: int) -> bytes:
    return text_of_json({"layout": _layout(count), "fps": 30, "frames": [{"people": [{"keypoints": [[1, 2]] * 17}]}]})


# Digits


def _coco_image(name: str) -> bytes:
    return text_of_json([{"image_id": name, "category_id": 1, "keypoints": [1, 2, 1] * 17, "score": 1}] * 2)


def _csv_images(digits: int) -> bytes:
    rows = [f"{'1' * digits}a{number}.jpg,1,2\n" for number in range(3)]
    return ("image,nose_x,nose_y\n" + "".join(rows)).encode()


def _ntu_body(body_id: str) -> bytes:
    return f"1\n1\n{body_id}{' 0' * 9}\n25\n{('0 ' * 11 + '2' + chr(10)) * 25}".encode()


def _deep_nulls(levels: int) -> bytes:
    nested = "[" * levels + "null" + "]" * levels
    return f'{{"layout": "coco-17", "fps": 30, "frames": [{{"people": [{{"keypoints": {nested}}}]}}]}}'.encode()


# Crowds


def _coco_crowd(frames: int, people: int) -> bytes:
    spread = np.random.default_rng(0).uniform(0, 1e6, (frames, people)).round(0).tolist()
    entries = [
        {"image_id": frame, "category_id": 1, "keypoints": [x, x, 1] * 17, "score": 1}
        for frame, row in enumerate(spread)
        for x in row
    ]
    return text_of_json(entries)


def _openpose_crowd(frames: int, people: int) -> bytes:
    spread = np.random.default_rng(0).uniform(0, 1e6, (frames, people)).round(0).tolist()
    return text_of_json(
        {"frames": [{"people": [{"keypoints": [[x, x, 1]] * 17} for x in row]} for row in spread], "fps": 30}
    )


def _csv_crowd(frames: int, people: int) -> bytes:
    spread = np.random.default_rng(0).uniform(0, 1e6, (frames, people)).round(0).tolist()
    rows = [f"{frame},0,{x},{x},{x},{x + 5}\n" for frame, row in enumerate(spread) for x in row]
    return ("frame,person,nose_x,nose_y,neck_x,neck_y\n" + "".join(rows)).encode()


HOSTILE: dict[str, Hostile] = {
    "shared-lists": Hostile("2^40 numbers in shared lists", "a.pkl", lambda: annotated(shared_lists(40)), PIXELS),
    "shared-size": Hostile(
        "img_shape of shared lists",
        "a.pkl",
        lambda: annotated(np.ones((1, 2, 17, 2)), img_shape=shared_lists(40)),
        PIXELS,
    ),
    "shared-scores": Hostile(
        "scores of shared lists",
        "a.pkl",
        lambda: annotated(np.ones((1, 2, 17, 2)), keypoint_score=shared_lists(40)),
        PIXELS,
    ),
    "list-of-itself": Hostile("a list that holds itself", "a.pkl", lambda: annotated(itself()), PIXELS),
    "shared-annotation": Hostile("one clip 200,000 times", "a.pkl", _shared_annotation, PIXELS),
    "shared-frame": Hostile("one frame 100,000 times", "a.pkl", lambda: _shared_frame(250), PIXELS),
    "many-numbers": Hostile("2.4 million pickled numbers", "a.pkl", lambda: annotated([7] * 2_400_000), PIXELS),
    "many-lists": Hostile("a million lists", "a.pkl", lambda: annotated([[] for _ in range(1_000_000)]), PIXELS),
    "deep-pickle": Hostile("lists 400 deep", "a.pkl", lambda: annotated(_deep(400)), PIXELS),
    "nested-keys": Hostile("a key of 2^60 shared tuples", "a.pkl", lambda: _nested_keys(60), PIXELS),
    "empty-lists": Hostile("5 million empty lists", "a.pkl", lambda: b"\x80\x04(" + b"]" * 5_000_000 + b"l.", PIXELS),
    "tuples-of-tuples": Hostile(
        "2.5 million tuples", "a.pkl", lambda: b"\x80\x04(" + b")\x85" * 2_500_000 + b"l.", PIXELS
    ),
    "doubled": Hostile("400,000 numbers doubled on the stack", "a.pkl", lambda: _doubled(400_000), PIXELS),
    "nested-joblib-keys": Hostile(
        "such a key where the unpickler is another", "a.pkl", lambda: _as_joblib(_nested_keys(60)), PIXELS
    ),
    "joblib-keys-of-one-hash": Hostile(
        "20,000 keys of one hash there", "a.pkl", lambda: _as_joblib(_keys_of_one_hash(20_000)), PIXELS
    ),
    "keys-of-one-hash": Hostile("300,000 keys of one hash", "a.pkl", lambda: _keys_of_one_hash(300_000), PIXELS),
    "csv-joints": Hostile("60,000 joints", "a.csv", lambda: _csv(60_000), PIXELS | {"layout": None}),
    "long-csv-joints": Hostile("200,000 joints", "a.csv", lambda: _long_csv(200_000), PIXELS | {"layout": None}),
    "trc-joints": Hostile("100,000 markers", "a.trc", lambda: _trc(100_000)),
    "bvh-joints": Hostile("100,000 joints side by side", "a.bvh", lambda: _bvh(100_000, False), {"unit": "metre"}),
    "bvh-deep": Hostile("30,000 joints in a chain", "a.bvh", lambda: _bvh(30_000, True), {"unit": "metre"}),
    "npz-joints": Hostile("200,000 names of joints", "a.npz", lambda: _named_npz(200_000), METRES),
    "npz-layout": Hostile(
        "a layout of 60,000 joints",
        "a.npz",
        lambda: npz(keypoints=np.ones((1, 2, 17, 2)), layout=np.array(_layout(60_000))),
        METRES,
    ),
    "json-layout": Hostile("a layout of 60,000 joints", "a.json", lambda: _layout_json(60_000)),
    "parquet-layout": Hostile("a layout of 60,000 joints", "a.parquet", lambda: _layout_parquet(60_000)),
    "image-digits": Hostile(
        "an image whose number has a million digits",
        "a.json",
        lambda: _coco_image("1" * 1_000_000 + "a1"),
        {"fps": 30, "layout": "coco-17"},
        True,
    ),
    "csv-image-digits": Hostile(
        "images with 100,000 digits", "a.csv", lambda: _csv_images(100_000), PIXELS | {"layout": None}, True
    ),
    "csv-column-digits": Hostile(
        "a column called by 100,000 digits",
        "a.csv",
        lambda: f"frame,joint,x,y,{'1' * 100_000}a1\n0,nose,1,2,3\n".encode(),
        PIXELS | {"layout": None},
        True,
    ),
    "csv-frames": Hostile(
        "30,000 columns of frame numbers",
        "a.csv",
        lambda: f"{'frame,' * 30_000}nose_x,nose_y\n{'1,' * 30_001}1\n".encode(),
        PIXELS | {"layout": None},
        True,
    ),
    "csv-late": Hostile(
        "a time of 1e308 seconds",
        "a.csv",
        lambda: b"time,nose_x,nose_y\n-1e308,1,2\n0,1,2\n1e308,1,2\n",
        {"unit": "pixel"},
    ),
    "ntu-body-digits": Hostile(
        "a body id of 5,000 digits", "S001C001P001R001A001.skeleton", lambda: _ntu_body("9" * 5000)
    ),
    "deep-nulls": Hostile("a null in lists 40 deep", "a.json", lambda: _deep_nulls(40)),
    "overlapping": Hostile("20,000 entries over one stream", "a.npz", lambda: _overlapping_entries(20_000), PIXELS),
    "repeated": Hostile("300 entries of one name", "a.npz", lambda: _repeated_entries(300), PIXELS),
    "many-arrays": Hostile("every array at its limit", "a.npz", lambda: _many_arrays(9), PIXELS),
    "wide-keypoints": Hostile(
        "400 million packed numbers",
        "a.npz",
        lambda: packed("keypoints", np.zeros((1, 11_764_705, 17, 2), np.int8)),
        PIXELS,
    ),
    "wide-confidence": Hostile(
        "a confidence of 400 million numbers",
        "a.npz",
        lambda: packed("confidence", np.zeros(400_000_000, np.int8), keypoints=np.ones((1, 2, 17, 2))),
        PIXELS,
    ),
    "wide-fps": Hostile(
        "400 million frame rates",
        "a.npz",
        lambda: packed("fps", np.zeros(400_000_000, np.int8), keypoints=np.ones((1, 2, 17, 2))),
        PIXELS,
    ),
    "wide-track-ids": Hostile(
        "400 million person numbers",
        "a.npz",
        lambda: packed("track_ids", np.zeros(400_000_000, np.int8), keypoints=np.ones((1, 2, 17, 2))),
        PIXELS,
    ),
    "wide-mat": Hostile("200 million packed numbers", "a01_s01_t01_skeleton.mat", lambda: _wide_mat(), {}),
    "wide-tensor": Hostile("a tensor of stride 0", "densepose.pkl", _wide_tensor),
    "coco-crowd": Hostile("15,360 people, new each frame", "a.json", lambda: _coco_crowd(60, 256), {"fps": 30}, True),
    "coco-crowd-1000": Hostile(
        "15,360 people at 1,000 frames a second", "a.json", lambda: _coco_crowd(60, 256), {"fps": 1000}, True
    ),
    "json-crowd": Hostile("15,360 people, new each frame", "a.json", lambda: _openpose_crowd(60, 256), {}, True),
    "csv-crowd": Hostile(
        "60,000 rows of one person, far apart", "a.csv", lambda: _csv_crowd(240, 250), PIXELS | {"layout": None}, True
    ),
    "deep-json": Hostile("lists 200,000 deep", "a.json", lambda: b"[" * 200_000, {"fps": 30}),
    "wide-json": Hostile("2 million empty lists", "a.json", lambda: b"[" + b"[]," * 1_700_000 + b"[]]", {"fps": 30}),
    "objects-json": Hostile(
        "a million empty objects", "a.json", lambda: b"[" + b"{}," * 1_600_000 + b"{}]", {"fps": 30}
    ),
    "gzip": Hostile("gzip of 2 GB", "a.json.gz", lambda: _gzip_bomb(), {"fps": 30}),
    "unicode-names": Hostile(
        "a name of 2 MB",
        "a.csv",
        lambda: f"frame,{'n' * 2_000_000}_x,{'n' * 2_000_000}_y\n0,1,2\n".encode(),
        PIXELS | {"layout": None},
    ),
}


def _deep(levels: int) -> list[Any]:
    nested: list[Any] = [1.0]
    for _ in range(levels):
        nested = [nested]
    return nested


def _wide_mat() -> bytes:
    values = np.zeros((20, 3, 3_400_000), np.int8)
    values.ravel()[: values.size // 85] = np.random.default_rng(0).integers(-128, 127, values.size // 85)
    return mat(d_skel=values)


def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    part = packer.compress(b"[" + b"[]," * 2**20)
    return part + b"".join(packer.compress(b"[]," * 2**20) for _ in range(700)) + packer.flush()
