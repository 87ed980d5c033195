"""Writers of tiny raw files in the published formats, with contents that a test knows in advance."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from helpers import write_json


def known_points(frames: int, joints: int = 20, dims: int = 3) -> np.ndarray:
    """Coordinates that tell where they come from: frame + joint / 100 + axis / 10000, and nowhere zero."""
    frame, joint, axis = np.meshgrid(np.arange(frames), np.arange(joints), np.arange(dims), indexing="ij")
    return 1 + frame + joint / 100 + axis / 10000


def ntu_text(frames: list[dict[int, np.ndarray]]) -> str:
    """Frames of body id -> (25, 3) points in the published text format, tracking state 2."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body_id, points in bodies.items():
            lines += [f"{body_id} 0 1 1 1 1 0 0.1 -0.2 2", "25"]
            lines += [f"{x!r} {y!r} {z!r} 1 2 3 4 0 0 0 0 2" for x, y, z in points.tolist()]
    return "\r\n".join(lines) + "\r\n"


@pytest.fixture
def points() -> Callable[..., np.ndarray]:
    return known_points


@pytest.fixture
def write_ntu(tmp_path: Path) -> Callable[..., Path]:
    def write(frames: list[dict[int, np.ndarray]], name: str = "S001C002P003R001A004") -> Path:
        path = tmp_path / f"{name}.skeleton"
        path.write_bytes(ntu_text(frames).encode())
        return path

    return write


@pytest.fixture
def write_nucla(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "a02_s03_e01_v02", label: Any = 2, frames: Any = None, folder: Path = tmp_path) -> Path:
        path = folder / f"{name}.json"
        skeletons = known_points(4).tolist() if frames is None else frames
        write_json(path, {"file_name": name, "skeletons": skeletons, "label": label})
        return path

    return write


@pytest.fixture
def write_penn(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "0007", folder: Path = tmp_path, **changes: Any) -> Path:
        content = {
            "x": 100 * known_points(5, 13, 1)[..., 0],
            "y": 50 * known_points(5, 13, 1)[..., 0],
            "visibility": np.ones((5, 13), np.uint8),
            "action": "squat",
            "pose": "left",
            "train": 1,
            "dimensions": np.array([[270, 480, 5]], np.uint16),
        }
        path = folder / f"{name}.mat"
        scipy.io.savemat(path, {key: value for key, value in (content | changes).items() if value is not None})
        return path

    return write


@pytest.fixture
def write_utd(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str = "a5_s2_t1_skeleton", d_skel: Any = None, folder: Path = tmp_path) -> Path:
        path = folder / f"{name}.mat"
        values = known_points(6).transpose(1, 2, 0) if d_skel is None else d_skel
        scipy.io.savemat(path, {"d_skel": values}, do_compression=True)
        return path

    return write
