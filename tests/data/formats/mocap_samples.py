"""Tiny files of motion capture and animal-pose programs, made by hand: `MOCAP[name]` is target, files and options."""

import json
import struct

import numpy as np


FRAMES = 6
NAMES = ("mid_hip", "head", "left_ankle")
# Somebody who stands along y, in metres, and steps along x.
PLACES = np.array([[[0.1 * t, 1, 0.5], [0.1 * t, 1.6, 0.5], [0.1 * t + 0.05, 0.125, 0.5]] for t in range(FRAMES)])


def table(rows: np.ndarray, separator: str, first: list[list[object]] | None = None) -> str:
    """The numbers of each frame in a line, after the cells of `first`."""
    heads = first or [[] for _ in rows]
    cells = [[repr(value) for value in row] for row in rows.reshape(len(rows), -1).round(6).tolist()]
    lines = [[*head, *row] for head, row in zip(heads, cells, strict=True)]
    return "\n".join(separator.join(map(str, line)) for line in lines) + "\n"


def qualisys(places: np.ndarray = PLACES, names=NAMES, columns: bool = False, step: int = 1) -> str:
    facts = {
        "NO_OF_FRAMES": len(places),
        "NO_OF_CAMERAS": 8,
        "NO_OF_MARKERS": len(names),
        "FREQUENCY": 100,
        "DESCRIPTION": "--",
        "TIME_STAMP": "2026-01-01, 10:00:00\t1.5",
        "DATA_INCLUDED": "3D",
        "MARKER_NAMES": "\t".join(names),
    }
    text = "".join(f"{key}\t{value}\n" for key, value in facts.items())
    if not columns:
        return text + table(1000 * places, "\t")
    head = "\t".join(["Frame", "Time", *(f"{name} {axis}" for name in names for axis in "XYZ")])
    return f"{text}{head}\n" + table(1000 * places, "\t", [[step * n + 1, step * n / 100] for n in range(len(places))])


def vicon(places: np.ndarray = PLACES, names=NAMES, subject: str = "Ann", first: int = 1, step: int = 1) -> str:
    head = ",,".join(["", *(f"{subject}:{name}," for name in names)])
    axes = "Frame,Sub Frame" + ",X,Y,Z" * len(names)
    rows = table(1000 * places, ",", [[first + step * n, 0] for n in range(len(places))])
    return f"Trajectories\n100\n,,{head[2:]}\n{axes}\n,{',mm' * 3 * len(names)}\n{rows}"


def motive(places: np.ndarray = PLACES, names=NAMES, kind: str = "Bone", subject: str = "Ann:", step: int = 1) -> str:
    facts = "Format Version,1.23,Take Name,Take 1,Capture Frame Rate,240,Export Frame Rate,120.000000"
    width = range(3 * len(names))
    rows = [
        f"{facts},Total Frames in Take,{len(places)},Rotation Type,Quaternion,Length Units,Meters",
        "",
        ",Type," + ",".join(kind for _ in width),
        ",Name," + ",".join(subject + names[column // 3] for column in width),
        ",ID," + ",".join(str(column // 3) for column in width),
        ",," + ",".join("Position" for _ in width),
        "Frame,Time (Seconds)" + ",X,Y,Z" * len(names),
    ]
    return "\n".join(rows) + "\n" + table(places, ",", [[step * n, step * n / 120] for n in range(len(places))])


def rokoko(places: np.ndarray = PLACES, step: int = 1) -> str:
    names = ("Hips", "Head", "LeftFoot")
    head = ",".join(["Timestamp", *(f"{name}_position_{axis}" for name in names for axis in "xyz")])
    return f"{head}\n" + table(places, ",", [[step * n / 50] for n in range(len(places))])


def deeplabcut(people: int, step: int = 1) -> str:
    width = [(who, name, kind) for who in range(people) for name in NAMES for kind in ("x", "y", "likelihood")]
    lines = [["scorer", *("net" for _ in width)]]
    lines += [["individuals", *(f"mouse{who}" for who, _, _ in width)]] if people > 1 else []
    lines += [["bodyparts", *(name for _, name, _ in width)], ["coords", *(kind for _, _, kind in width)]]
    lines += [[str(step * frame), *(f"{0.1 * frame + at}" for at, _ in enumerate(width))] for frame in range(FRAMES)]
    return "\n".join(",".join(line) for line in lines) + "\n"


def mvnx(places: np.ndarray = PLACES, subjects: int = 1, rate: float = 60, step: int = 1) -> str:
    """Xsens' segments Pelvis, Head and LeftFoot; z is up."""
    labels = ("Pelvis", "Head", "LeftFoot")
    z_up = places[..., [2, 0, 1]]
    text = '<?xml version="1.0" encoding="UTF-8"?>\n<mvnx version="4"><mvn version="2023"/>\n'
    for subject in range(subjects):
        segments = "".join(f'<segment label="{label}" id="{row + 1}"/>' for row, label in enumerate(labels))
        text += f'<subject label="S{subject}" frameRate="{rate:g}"><segments>{segments}</segments><frames>'
        text += '<frame time="0" index="" type="tpose"><position>0 0 0 0 0 0 0 0 0</position></frame>'
        for index, frame in enumerate(z_up + [0, 2 * subject, 0]):
            numbers = " ".join(f"{value:.6f}" for value in frame.ravel())
            moment = step * index
            text += f'<frame time="{17 * moment}" index="{moment}" type="normal"><orientation>1 0</orientation>'
            text += f"<position>{numbers}</position></frame>\n"
        text += "</frames></subject>"
    return text + "</mvnx>\n"


ASF = """# made by hand
:version 1.10
:name walker
:units
  mass 1.0
  length 2.54
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name lhipjoint
    direction 1 0 0
    length 10
    axis 0 0 0 XYZ
  end
  begin
    id 2
    name lfemur
    direction 0 -1 0
    length 40
    axis 0 0 90 XYZ
    dof rx rz
    limits (-160.0 20.0)
           (-70.0 60.0)
  end
  begin
    id 3
    name head
    direction 0 1 0
    length 70
    axis 0 0 0 XYZ
    dof rx
  end
:hierarchy
  begin
    root lhipjoint head
    lhipjoint lfemur
  end
"""


def amc(rows=((0, 90, 0, 0, 0, 0, 0, 0, 0),) * FRAMES) -> str:
    """Frames of root (6), lfemur (2) and head (1)."""
    text = "#!OML:ASF /walker.asf\n:FULLY-SPECIFIED\n:DEGREES\n"
    for frame, row in enumerate(rows, 1):
        cells = [str(value) for value in row]
        text += f"{frame}\nroot {' '.join(cells[:6])}\nhead {cells[8]}\nlfemur {' '.join(cells[6:8])}\n"
    return text


QUARTER = (0, 0, 2**-0.5, 2**-0.5)  # z turns x into y
IDENTITY = (0, 0, 0, 1)


def gltf(
    turns=(IDENTITY, QUARTER),
    times=(0.0, 0.5),
    interpolation: str = "LINEAR",
    uri: str | None = None,
    **changes: object,
) -> tuple[dict, bytes]:
    """The document and the buffer: an armature of a tenth, hips 10 up, a shoulder that turns and an elbow 4 aside."""
    keys, rotations = np.array(times, "<f4"), np.array(turns, "<f4")
    buffer = keys.tobytes() + rotations.tobytes()
    document = {
        "asset": {"version": "2.0"},
        "scenes": [{"nodes": [0]}],
        "nodes": [
            {"name": "Armature", "children": [1], "scale": [0.1, 0.1, 0.1]},
            {"name": "Hips", "children": [2], "translation": [0, 10, 0]},
            {"name": "LeftArm", "children": [3], "matrix": [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 5, 0, 1]},
            {"name": "LeftForeArm", "children": [4], "translation": [2, 0, 0]},
            {"name": "LeftHand", "translation": [4, 0, 0]},
        ],
        "skins": [{"joints": [1, 2, 3, 4]}],
        "animations": [
            {
                "channels": [{"sampler": 0, "target": {"node": 3, "path": "rotation"}}],
                "samplers": [{"input": 0, "output": 1, "interpolation": interpolation}],
            }
        ],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": len(keys), "type": "SCALAR"},
            {"bufferView": 1, "componentType": 5126, "count": rotations.size // 4, "type": "VEC4"},
        ],
        "bufferViews": [
            {"buffer": 0, "byteLength": 4 * len(keys)},
            {"buffer": 0, "byteOffset": 4 * len(keys), "byteLength": 4 * rotations.size},
        ],
        "buffers": [{"byteLength": len(buffer), **({} if uri is None else {"uri": uri})}],
        **changes,
    }
    return document, buffer


def glb(document: dict, buffer: bytes) -> bytes:
    text = json.dumps(document).encode()
    text += b" " * (-len(text) % 4)
    body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(buffer), b"BIN\0") + buffer
    return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body


PROCESSORS = {84: "<", 85: "<", 86: ">"}  # Intel, DEC, SGI


def c3d(
    places: np.ndarray = PLACES,
    names=tuple(f"Ann:{name}" for name in NAMES),
    processor: int = 84,
    whole: bool = False,
    analog: int = 2,
    residuals: np.ndarray | None = None,
    **parameters: object,
) -> bytes:
    """Millimetres, or tenths of them as whole numbers, at 50 frames per second, with `analog` values a frame."""
    order = PROCESSORS[processor]

    def floats(values) -> bytes:
        raw = np.asarray(values, np.float32)
        if processor != 85:
            return raw.astype(f"{order}f4").tobytes()
        halves = (raw * 4).astype("<f4").view("<u2").reshape(-1, 2)
        return np.ascontiguousarray(halves[:, ::-1]).tobytes()

    def record(group: int, name: str, body: bytes) -> bytes:
        return struct.pack("bb", len(name), group) + name.encode() + struct.pack(f"{order}H", 2 + len(body)) + body

    def texts(values) -> bytes:
        width = max(map(len, values))
        return struct.pack("bBBB", -1, 2, width, len(values)) + b"".join(text.ljust(width).encode() for text in values)

    facts = {"LABELS": texts(names), "UNITS": texts(["mm"]), "RATE": struct.pack("bB", 4, 0) + floats([50])}
    facts |= {name: texts(value) for name, value in parameters.items()}
    body = record(-1, "POINT", b"\0") + b"".join(record(1, name, value + b"\0") for name, value in facts.items())
    blocks = (len(body) + 6) // 512 + 1
    section = (bytes([1, 80, blocks, processor]) + body).ljust(512 * blocks, b"\0")
    scale = 0.1 if whole else -1.0
    head = bytes([2, 80]) + struct.pack(f"{order}5H", len(names), analog, 1, len(places), 10) + floats([scale])
    head += struct.pack(f"{order}2H", 2 + blocks, 1) + floats([50])
    values = np.zeros((len(places), 4 * len(names) + analog))
    residuals = np.zeros(places.shape[:2]) if residuals is None else residuals
    points = np.concatenate([1000 * places * (10 if whole else 1), residuals[..., None]], axis=-1)
    values[:, : 4 * len(names)] = np.nan_to_num(points).reshape(len(places), -1)
    data = values.round().astype(f"{order}i2").tobytes() if whole else floats(values.ravel())
    return head.ljust(512, b"\0") + section + data


def _one(target: str, content: str | bytes, **options: object) -> tuple[str, dict[str, bytes], dict[str, object]]:
    return target, {target: content.encode() if isinstance(content, str) else content}, options


MOCAP = {
    "qualisys": [_one("walk.tsv", qualisys()), _one("walk.tsv", qualisys(columns=True))],
    "vicon": [_one("walk.csv", vicon())],
    "motive": [_one("take.csv", motive())],
    "mvnx": [_one("a.mvnx", mvnx()), _one("b.mvnx", mvnx(subjects=2))],
    "acclaim": [("01_05.amc", {"01_05.amc": amc().encode(), "01.asf": ASF.encode()}, {"fps": 120})],
    "gltf": [
        _one("wave.glb", glb(*gltf()), fps=10),
        ("wave.gltf", {"wave.gltf": json.dumps(gltf(uri="b.bin")[0]).encode(), "b.bin": gltf()[1]}, {"fps": 10}),
    ],
    "c3d": [_one("a.c3d", c3d()), _one("b.c3d", c3d(whole=True, processor=86)), _one("c.c3d", c3d(processor=85))],
    "deeplabcut": [_one("one.csv", deeplabcut(1), fps=30), _one("two.csv", deeplabcut(2), fps=30)],
    "rokoko": [_one("rokoko.csv", rokoko())],
}
