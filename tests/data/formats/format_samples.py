"""A tiny valid file of every format and dataset, for the tests that walk over all of them.

Whoever adds a reader adds a sample here: `SAMPLES[name]`, a list where a format has several shapes.
"""

import io
import json
import pickle
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

import joblib
import numpy as np
import scipy.io
import torch
from described_samples import DESCRIBED
from mocap_samples import MOCAP

from motionhub.data.datasets.precog import COLUMNS as PRECOG_COLUMNS
from motionhub.data.formats.formats import WRITERS
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence


@dataclass(frozen=True)
class Sample:
    """Files by their place below a folder; `target` is what is read (a file or a folder of them).

    Args:
        options: what `motionhub.read` must be told.
        facts: whether labels can be had from these files too.
    """

    target: str
    files: dict[str, bytes]
    options: dict[str, Any] = field(default_factory=dict)
    facts: bool = True


FRAMES = 6
PIXELS = {"layout": "coco-17", "fps": 30, "unit": "pixel"}


def points(joints: int, dims: int, frames: int = FRAMES, seed: int = 0) -> np.ndarray:
    """`(frames, joints, dims)` nowhere zero, three decimals."""
    return np.random.default_rng(seed).uniform(1, 9, (frames, joints, dims)).round(3)


def body(layout: str, dims: int = 2, frames: int = FRAMES) -> np.ndarray:
    """`(frames, joints, dims)` of somebody who waves, with face and hands where files have them: pixels, or metres."""
    made = get_layout(layout)
    clip = generate("wave", num_frames=frames, layout=made)
    places = np.ones((frames, made.num_file_joints or made.num_joints, 3))
    places[:, list(made.kept_positions) if made.num_file_joints else slice(None)] = clip.keypoints[0]
    return ((places[..., :2] * (200, -200) + (300, 500)) if dims == 2 else places).round(3)


def _json(content: Any) -> bytes:
    return json.dumps(content).encode()


def _mat(**variables: Any) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, variables, do_compression=True)
    return stream.getvalue()


def _npz(**arrays: Any) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **arrays)
    return stream.getvalue()


def _tensor(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    torch.save(torch.tensor(array), stream)
    return stream.getvalue()


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def sleap(joints: int = 3, people: int = 2) -> bytes:
    """SLEAP's analysis file: tracks (people, 2, joints, frames)."""
    import h5py

    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        tracks = np.stack([points(joints, 2, seed=seed).transpose(2, 1, 0) for seed in range(people)])
        file.create_dataset("tracks", data=tracks, compression="gzip")
        file["point_scores"] = np.full((people, joints, FRAMES), 0.5)
        file["track_occupancy"] = np.ones((FRAMES, people), np.uint8)
        file["node_names"] = [b"nose", b"left_eye", b"right_eye"][:joints]
        file["track_names"] = [f"track_{number}".encode() for number in range(people)]
    return stream.getvalue()


def _objects(**content: Any) -> bytes:
    """Arrays that hold pickled dicts, as `numpy.savez` writes them."""
    return _npz(**{name: np.array(value, dtype=object) for name, value in content.items()})


def _inferred() -> bytes:
    """The archive of VideoPose3D's script for a video: two classes a frame."""
    frames = np.empty((FRAMES, 2), dtype=object)
    for n in range(FRAMES):
        scores = np.full((17, 2), 0.5)
        frames[n, 0], frames[n, 1] = [], np.concatenate([100 * points(17, 2)[n], scores], axis=1).T[None]
    return _npz(boxes=frames, keypoints=frames, metadata=np.array({"w": 640, "h": 480}, object))


def _amass() -> bytes:
    poses = 0.1 * points(52, 3).reshape(FRAMES, -1)
    return _npz(poses=poses, trans=points(1, 3)[:, 0], betas=np.zeros(16), mocap_framerate=np.array(120.0))


def _regressor(frame: int) -> dict[str, Any]:
    return {"time": frame, "tid": [1, 2], "3d_joints": [points(24, 3)[frame], 9 + points(24, 3)[frame]]}


def _thetas() -> dict[str, Any]:
    return {"thetas": points(24, 6).transpose(1, 2, 0), "root_translation": points(3, 1)[..., 0].T}


def _person() -> dict[int, Any]:
    person = {"pose": 0.1 * points(24, 3).reshape(FRAMES, -1), "trans": points(1, 3)[:, 0], "betas": np.zeros(10)}
    return {7: {**person, "frame_ids": np.arange(FRAMES)}}


def _joblib(content: Any) -> bytes:
    stream = io.BytesIO()
    joblib.dump(content, stream, compress=3)
    return stream.getvalue()


def _ntu(joints: int) -> bytes:
    lines = [str(FRAMES)]
    for frame in points(joints, 3):
        lines += ["1", "72057594037931101 0 1 1 1 1 0 0.1 -0.2 2", str(joints)]
        lines += [f"{x} {y} {z} 1 2 3 4 0 0 0 0 2" for x, y, z in frame]
    return ("\r\n".join(lines) + "\r\n").encode()


def _rows(values: np.ndarray, separator: str, first: int | None = None) -> bytes:
    lines = [([] if first is None else [str(first + n)]) + [str(x) for x in row] for n, row in enumerate(values)]
    return ("\n".join(separator.join(line) for line in lines) + "\n").encode()


def _lcrnet() -> bytes:
    frames = [
        [{"pose2d": points(13, 2, 1, n).ravel().tolist(), "pose3d": points(13, 3, 1, n).ravel().tolist()}]
        for n in range(FRAMES)
    ]
    return _json({"njts": 13, "frames": [*frames, []]})


def _scored(frame: int, joints: int) -> list[float]:
    places = np.concatenate([100 * points(joints, 2)[frame % FRAMES], np.full((joints, 1), 0.5)], axis=1)
    return places.ravel().tolist()


def _openpose(frame: int, joints: int = 25) -> bytes:
    return _json({"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": _scored(frame, joints)}]})


def _precog() -> bytes:
    lines = [";".join(" ".join(map(str, joint)) for joint in frame) + ";3" for frame in points(20, 3).tolist()]
    return ("\n".join(["; ".join(PRECOG_COLUMNS), *lines]) + "\n").encode()


def _table(long: bool) -> bytes:
    if long:
        lines = ["frame,person,joint,x,y,score"]
        for n, frame in enumerate(points(3, 2)):
            lines += [f"{n},4,{name},{x},{y},0.5" for name, (x, y) in zip("abc", frame, strict=True)]
    else:
        lines = ["frame;time;left_knee_x;left_knee_y;nose_x;nose_y"]
        lines += [f"{n};{n / 25};" + ";".join(map(str, row.ravel())) for n, row in enumerate(points(2, 2))]
    return ("\n".join(lines) + "\n").encode()


def clip(**changes: Any) -> SkeletonSequence:
    """Somebody who waves, with joints missing."""
    made = generate("wave", scene=Scene(noise=0.01, dropout=0.1), num_frames=FRAMES)
    return made.replace(**changes)


def _whole() -> SkeletonSequence:
    return generate("wave", num_frames=FRAMES)


def _written(name: str, sequence: SkeletonSequence) -> bytes:
    content = WRITERS[name].encode(sequence)
    assert isinstance(content, bytes)
    return content


def _pyskl() -> bytes:
    annotation = {
        "frame_dir": "clip",
        "label": 3,
        "img_shape": (480, 640),
        "total_frames": FRAMES,
        "keypoint": points(17, 2)[None].astype(np.float32),
        "keypoint_score": np.full((1, FRAMES, 17), 0.5, np.float16),
    }
    return pickle.dumps({"split": {"train": ["clip"]}, "annotations": [annotation]}, protocol=4)


def _mmpose() -> bytes:
    people = [[{"keypoints": np.array(_scored(n, 17)).reshape(17, 3), "track_id": 1}] for n in range(FRAMES)]
    return pickle.dumps(people, protocol=2)


def _timed(video: str, **extra: Any) -> bytes:
    return _json({video: {"subset": "training", "duration": 6.0, "actions": [[3, 1.0, 4.0], [7, 0.0, 2.0]], **extra}})


def _columns(frame: int, joints: int = 17) -> dict[str, list[float]]:
    x, y, scores = np.array(_scored(frame, joints)).reshape(joints, 3).T.tolist()
    return {"x": x, "y": y, "visible": scores}


def _people(frame: int, **keys: str) -> list[dict[str, Any]]:
    """Two people with the keypoints and scores under these keys."""
    table = np.array(_scored(frame, 17)).reshape(17, 3)
    shapes = {"points": table[:, :2], "scores": table[:, 2], "all": table}
    return [
        {
            **{key: (shapes[what] + 500 * row * (what == "points")).tolist() for what, key in keys.items()},
            "track_id": row,
        }
        for row in range(2)
    ]


def _sensor(joints: int, frame: int) -> list[list[float]]:
    return (300 * points(joints, 3, 1, frame)[0]).tolist()


def _yolo(frame: int) -> bytes:
    row = np.array(_scored(frame, 17)).reshape(17, 3) / (1000, 1000, 1)
    return ("\n".join(f"0 0.5 0.5 0.3 0.3 {' '.join(map(str, row.ravel()))} {n}" for n in (1, 2)) + "\n").encode()


def _cvat() -> bytes:
    points = '<points label="{}" outside="0" occluded="0" points="{:.2f},{:.2f}"></points>'
    shapes = [
        f'<skeleton frame="{n}" outside="0" keyframe="1">'
        + "".join(points.format(name, 10.0 + n, 20.0 + row) for row, name in enumerate(("nose", "left_hip")))
        + "</skeleton>"
        for n in range(FRAMES)
    ]
    track = f'<track id="4" label="person">{"".join(shapes)}</track>'
    return f"<annotations><version>1.1</version>{track}</annotations>".encode()


def _label_studio(frame: int) -> dict[str, Any]:
    results = [
        {
            "type": "keypointlabels",
            "original_width": 200,
            "original_height": 100,
            "value": {"x": x, "y": 5, "keypointlabels": [n]},
        }
        for n, x in (("nose", 10 + frame), ("left_hip", 20))
    ]
    return {"id": frame, "data": {"img": f"a/b-frame_{frame:03d}.jpg"}, "annotations": [{"result": results}]}


_LANDMARKS = [{"x": (j + 1) / 100, "y": j / 50, "z": -j / 10, "visibility": j / 33} for j in range(33)]
_RESULT = {"category_id": 1, "score": 0.9}
_SMARTHOME = "Cook.Cut_p03_r01_v07_c02.json"
_POSETICS = "clips/some class_-0BveUV52cM_000012_000022.json"
_POSETICS_LIST = _json({"-0BveUV52cM": {"label_index": 319, "has_skeleton": True}})
_UAV = "P042S01G10B10H10UC022000LC021000A154R0_08241716.txt"
_KINETICS = {
    "data": [
        {
            "frame_index": n + 1,
            "skeleton": [{"pose": points(18, 2)[n].ravel().tolist(), "score": [0.5] * 18}],
        }
        for n in range(FRAMES)
    ],
    "label": "cutting watermelon",
    "label_index": 83,
}
_UI_PRMD = {
    "frames": np.arange(5 * 22 * 3).reshape(5, 22, 3).astype(np.int16),
    "scale_cm": np.float64(0.05),
    "offsets": np.array([0, 2, 5]),
    "movement": np.array([1, 10]),
    "subject": np.array([3, 4]),
    "episode": np.array([7, 8]),
    "correct": np.array([True, False]),
}
_BODY = {
    "x": 100 * points(13, 1)[..., 0],
    "y": 50 * points(13, 1)[..., 0],
    "visibility": np.ones((FRAMES, 13), np.uint8),
    "action": "squat",
    "pose": "left",
    "train": 1,
    "dimensions": np.array([[270, 480, FRAMES]], np.uint16),
}
_LABELS = b"51,4,5,2\n3,1,2,1\n"


# What files of datasets must be told when they are read on their own.
_SAID_OF = {"kit-ml": {"layout": "kit-21", "unit": "millimetre", "fps": 12.5}, "cmu-mocap": {"fps": 120}}


def _one(target: str, content: bytes, **options: Any) -> Sample:
    return Sample(target, {target: content}, options)


def samples() -> dict[str, list[Sample]]:
    """Name of the reader or format -> its samples; made anew, as they are cheap."""
    csv = {"fps": 30, "unit": "pixel"}
    bandai = SkeletonSequence(points(22, 3), "bandai-22", 30, "metre")
    lists = {"posetics_train_label.json": _POSETICS_LIST, _POSETICS: _lcrnet()}
    npz = clip(confidence=np.full((1, FRAMES, 20), 0.5))
    return {
        "n-ucla": [
            _one(
                "a02_s03_e01_v02.json",
                _json({"file_name": "a02_s03_e01_v02", "skeletons": points(20, 3).tolist(), "label": 2}),
            )
        ],
        "ntu-rgbd": [_one("S001C002P003R001A004.skeleton", _ntu(25))],
        "penn-action": [_one("0007.mat", _mat(**_BODY))],
        "utd-mhad": [_one("a5_s2_t1_skeleton.mat", _mat(d_skel=points(20, 3).transpose(1, 2, 0)))],
        "sbu": [_one("s03s04/06/002/skeleton_pos.txt", _rows(points(30, 3).reshape(FRAMES, -1), ",", 55))],
        "ui-prmd": [_one("uiprmd_kinect_s1.npz", _npz(**_UI_PRMD))],
        "precog": [_one("Seq5_2.csv", _precog())],
        "kinetics-skeleton": [_one("kinetics_train/abcdefghijk.json", _json(_KINETICS))],
        "uav-human": [_one(_UAV, _ntu(17))],
        "smarthome": [_one(_SMARTHOME, _lcrnet())],
        "smarthome-3d": [_one(_SMARTHOME, _lcrnet())],
        "posetics": [Sample(_POSETICS, lists)],
        "posetics-3d": [Sample(_POSETICS, lists)],
        "pku-mmd": [
            Sample(
                "skeleton/0002-L.skeleton",
                {
                    "skeleton/0002-L.skeleton": _rows(points(50, 3).reshape(FRAMES, -1), " "),
                    "Label_PKUMMD/0002-L.txt": _LABELS,
                },
            )
        ],
        "tsu": [
            Sample("clips/P02T03C05.json", {"clips/P02T03C05.json": _lcrnet(), f"smarthome_{cut}_51.json": listed})
            for cut, listed in (("CS", _timed("P02T03C05")), ("CV", _timed("P02T03C05", subset="testing")))
        ],
        "tsu-3d": [
            Sample("P02T03C05.json", {"P02T03C05.json": _lcrnet(), "smarthome_CS_51.json": _timed("P02T03C05")})
        ],
        **{name: [Sample(*each, _SAID_OF.get(name, {}))] for name, each in DESCRIBED.items()},
        "charades": [
            Sample(
                "poses/001YG.npz",
                {"poses/001YG.npz": _written("npz", npz), "charades.json": _timed("001YG")},
            )
        ],
        "posecap": [
            Sample(
                "clips/a.json",
                {
                    "clips/a.json": _lcrnet(),
                    "posecap.csv": b"file,label,source,caption\nclips/a.json,walk,kinetics,Somebody walks\n",
                    "pose_options.json": b'{"fps": 25}',
                },
                {"fps": 25},
            )
        ],
        "posecap-3d": [
            Sample(
                "clips/a.json",
                {
                    "clips/a.json": _lcrnet(),
                    "posecap.csv": b"file,label\nclips/a.json,walk\n",
                    "pose_options.json": b'{"fps": 25}',
                },
                {"fps": 25},
            )
        ],
        "mixamo": [_one("Aj/Walk/motions/1.npy", _npy(np.ones((15, 3, 8), np.float32)))],
        "bandai-namco": [_one("dataset-2_walk_normal_001.bvh", _written("bvh", bandai))],
        "folder": [
            Sample(
                "data/a.csv",
                {
                    "data/a.csv": _table(long=False),
                    "labels.csv": b"file,label,start_s,end_s\ndata/a.csv,sit,0,0.1\ndata/a.csv,go,0.1,0.2\n",
                    "pose_options.json": b'{"unit": "pixel", "image_size": [640, 480]}',
                },
                {"unit": "pixel"},
            ),
            Sample(
                "a.npz",
                {
                    "a.npz": _written("npz", npz),
                    "a.vtt": b"WEBVTT\n\n00:00.000 --> 00:00.100\n<v person 0>wave\n\n00:00.100 --> 00:00.200\nsit\n",
                },
            ),
            Sample("wave/a.parquet", {"wave/a.parquet": _written("parquet", clip()), "sit/b.npy": b"\0"}),
        ],
        "openpose": [
            Sample("clip", {f"clip/a_{n:012d}_keypoints.json": _openpose(n) for n in range(3)}, {"fps": 30}),
            _one("a_000_keypoints.json", _openpose(0, 18), fps=30),
        ],
        "alphapose": [
            _one(
                "alphapose-results.json",
                _json([{"image_id": f"{n}.jpg", "keypoints": _scored(n, 17), **_RESULT} for n in range(FRAMES)]),
                fps=30,
            )
        ],
        "coco": [
            _one(
                "results.json",
                _json([{"image_id": n, "keypoints": _scored(n, 17), **_RESULT} for n in range(FRAMES)]),
                fps=30,
            ),
            _one(
                "annotations.json",
                _json(
                    {
                        "images": [{"id": n, "file_name": f"{n}.jpg", "width": 9, "height": 9} for n in range(FRAMES)],
                        "categories": [{"id": 1, "name": "person", "keypoints": list(get_layout("coco-17").joints)}],
                        "annotations": [
                            {"image_id": n, "category_id": 1, "id": n, "keypoints": _scored(n, 17)}
                            for n in range(FRAMES)
                        ],
                    }
                ),
                fps=30,
            ),
        ],
        "ultralytics": [
            _one("video.json", _json([[{"box": {}, "keypoints": _columns(n)}] for n in range(FRAMES)]), fps=30),
            _one(
                "lines.jsonl", b"\n".join(_json([{"keypoints": _columns(n), "track_id": 3}]) for n in (0, 1)), fps=30
            ),
            Sample("runs", {f"runs/a_{n}.json": _json([{"keypoints": _columns(n)}]) for n in range(3)}, {"fps": 30}),
        ],
        "mmpose": [
            _one(
                "results.json",
                _json(
                    {
                        "meta_info": {"dataset_name": "coco"},
                        "instance_info": [
                            {"frame_id": n + 1, "instances": _people(n, points="keypoints", scores="keypoint_scores")}
                            for n in range(FRAMES)
                        ],
                    }
                ),
                fps=30,
            ),
        ],
        "vitpose": [
            _one(
                "vitpose.json",
                _json(
                    [
                        [{**p, "labels": [*range(17)]} for p in _people(n, points="keypoints", scores="scores")]
                        for n in (0, 1)
                    ]
                ),
                fps=30,
            )
        ],
        "tfjs": [
            _one(
                "movenet.json",
                _json(
                    {
                        "frames": [
                            {
                                "t": n / 30,
                                "poses": [
                                    {
                                        "keypoints": [
                                            {"x": 9 + n, "y": 8, "score": 0.5, "name": name}
                                            for name in get_layout("coco-17").joints
                                        ]
                                    }
                                ],
                            }
                            for n in range(FRAMES)
                        ]
                    }
                ),
            )
        ],
        "phones": [
            _one(
                "vision.json",
                _json(
                    [
                        {
                            "frame": n,
                            "joints": {
                                f"{side}_{part}_joint": {
                                    "x": 0.2 * place + 0.1 + 0.01 * n,
                                    "y": 0.9 - 0.2 * row,
                                    "confidence": 0.5,
                                }
                                for place, side in enumerate(("left", "right"))
                                for row, part in enumerate(("upLeg", "leg", "foot"))
                            },
                        }
                        for n in range(FRAMES)
                    ]
                ),
                fps=30,
            )
        ],
        "torch": [_one("clip.pt", _tensor(points(17, 2)), **PIXELS)],
        "easymocap": [
            Sample(
                "keypoints3d",
                {
                    f"keypoints3d/{n:06d}.json": _json(
                        [{"id": 0, "keypoints3d": [[*p, 0.5] for p in body("body-25", 3)[n].tolist()]}]
                    )
                    for n in range(3)
                },
                {"fps": 30},
            )
        ],
        "detectron2": [
            _one(
                "instances.json",
                _json([{"pred_keypoints": [np.array(_scored(n, 17)).reshape(17, 3).tolist()]} for n in (0, 1)]),
                fps=30,
            )
        ],
        "azure-kinect": [
            _one(
                "kinect.json",
                _json(
                    {
                        "frames": [
                            {
                                "timestamp_usec": 33333 * n,
                                "bodies": [{"body_id": 1, "joint_positions": _sensor(32, n)}],
                            }
                            for n in range(FRAMES)
                        ]
                    }
                ),
            )
        ],
        "zed": [
            _one(
                "zed.json",
                _json(
                    {
                        str(1000 + 33 * n): {
                            "timestamp": 10**9 + 33_000_000 * n,
                            "body_list": [
                                {
                                    "id": 3,
                                    "keypoint": points(18, 3, 1, n)[0].tolist(),
                                    "keypoint_confidence": [50] * 18,
                                }
                            ],
                        }
                        for n in range(FRAMES)
                    }
                ),
                unit="metre",
            )
        ],
        "nuitrack": [
            _one(
                "skeletons.json",
                _json(
                    {
                        "frames": [
                            {
                                "Timestamp": 33333 * n,
                                "Skeletons": [
                                    {
                                        "id": 1,
                                        "joints": [
                                            {
                                                "type": row + 1,
                                                "confidence": 0.7,
                                                "real": dict(zip("xyz", p, strict=True)),
                                            }
                                            for row, p in enumerate(_sensor(4, n))
                                        ],
                                    }
                                ],
                            }
                            for n in range(FRAMES)
                        ]
                    }
                ),
            )
        ],
        "keypoints": [
            _one(
                "rows.json",
                _json([{"frame": n, "person_id": 2, "keypoints": _scored(n, 17)} for n in range(FRAMES)]),
                layout="coco-17",
                fps=30,
            )
        ],
        "cvat": [_one("annotations.xml", _cvat(), fps=30)],
        "label-studio": [_one("tasks.json", _json([_label_studio(n) for n in range(FRAMES)]), fps=30)],
        "yolo": [
            Sample(
                "labels", {f"labels/clip_{n}.txt": _yolo(n) for n in range(1, 4)}, {"fps": 30, "layout": "coco-17"}
            ),
            _one("clip_1.txt", _yolo(0), fps=30, layout="coco-17"),
        ],
        "lcrnet": [_one("poses.json", _lcrnet(), fps=20)],
        "mediapipe": [
            _one("landmarks.json", _json([_LANDMARKS, None, _LANDMARKS]), fps=30),
            _one("objects.json", _json({"frames": [{"poseLandmarks": _LANDMARKS}, {"poseLandmarks": None}]}), fps=30),
        ],
        "numpy": [
            _one("clip.npz", _written("npz", npz)),
            _one("clip.npy", _npy(points(17, 2)), **PIXELS),
            _one("video2d.npz", _npz(kpts=points(17, 2).astype(np.float32)), fps=20),
        ],
        "pyskl": [_one("clips.pkl", _pyskl(), layout="coco-17", fps=30), _one("mmpose.pkl", _mmpose(), **PIXELS)],
        "smpl": [
            _one("walk_poses.npz", _amass()),
            _one("wham_output.pkl", pickle.dumps(_person(), protocol=4), fps=30),
            _one("demo_clip.joblib", _joblib(_person()), fps=30),
            _one("phalp.pkl", pickle.dumps({f"{n}.jpg": _regressor(n) for n in range(FRAMES)}, protocol=4), fps=30),
            _one("sample00_smpl_params.npy", _npy(np.array(_thetas(), object))),
            _one("motionx.npy", _npy(0.1 * points(161, 2).reshape(FRAMES, -1))),
        ],
        "humanml3d": [
            _one("new_joints/000021.npy", _npy(points(22, 3))),
            _one("vec.npy", _npy(points(263, 1)[..., 0])),
            _one(
                "results.npy",
                _npy(np.array({"motion": points(22, 3).transpose(1, 2, 0)[None], "lengths": np.array([5])}, object)),
            ),
        ],
        "training-arrays": [
            _one("train_data_joint.npy", _npy(points(25, 6).reshape(1, FRAMES, 25, 3, 2).transpose(0, 3, 1, 2, 4))),
            _one("NTU60_CS.npz", _npz(x_train=points(150, 2).transpose(2, 0, 1), y_train=np.eye(2))),
        ],
        "videopose3d": [
            _one(
                "data_2d_custom_mine.npz",
                _objects(
                    positions_2d={"clip.mp4": {"custom": [points(17, 2)]}},
                    metadata={"layout_name": "coco", "video_metadata": {"clip.mp4": {"w": 640, "h": 480}}},
                ),
                fps=30,
            ),
            _one("video.mp4.npz", _inferred(), fps=30),
        ],
        "parquet": [_one("clip.parquet", _written("parquet", clip()))],
        "trc": [_one("clip.trc", _written("trc", clip()))],
        "bvh": [_one("clip.bvh", _written("bvh", _whole()))],
        **({"hdf5": [_one("analysis.h5", sleap(), fps=30)]} if find_spec("h5py") else {}),
        "csv": [_one("wide.csv", _table(long=False), unit="pixel"), _one("long.csv", _table(long=True), **csv)],
        **{name: [Sample(*each) for each in group] for name, group in MOCAP.items()},
    }


SAMPLES = samples()
