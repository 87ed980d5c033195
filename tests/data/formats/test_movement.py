"""Exchange with `movement`: dimensions and names of its datasets, there and back the same."""

import sys

import numpy as np
import pytest

import motionhub
from motionhub.data.synthetic.generate import Scene, generate


xarray = pytest.importorskip("xarray")


def clip(**changes):
    made = generate("wave", scene=Scene(dropout=0.1), second_person="kick", num_frames=12)
    return made.replace(**changes)


def test_positions_have_the_dimensions_of_movement():
    sequence = clip(track_ids=(4, 2))
    dataset = motionhub.to_movement(sequence)
    assert dataset["position"].dims == ("time", "space", "keypoints", "individuals")
    assert dataset["confidence"].dims == ("time", "keypoints", "individuals")
    assert dataset["position"].values.shape == (12, 3, sequence.num_joints, 2)
    np.testing.assert_array_equal(dataset["position"].values[5, :, 3, 1], sequence.keypoints[1, 5, 3])
    assert np.isnan(dataset["confidence"].values).all()
    assert dataset.coords["individuals"].values.tolist() == ["id_4", "id_2"]
    assert dataset.coords["keypoints"].values.tolist() == list(sequence.layout.joints)
    assert dataset.coords["time"].values[1] == 1 / sequence.fps
    assert (dataset.attrs["fps"], dataset.attrs["ds_type"]) == (sequence.fps, "poses")


@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("up", [None, "y"])
def test_there_and_back_is_the_same_sequence(scored, up):
    sequence = clip(up=up, track_ids=(4, 2))
    if scored:
        sequence = sequence.replace(confidence=np.full(sequence.keypoints.shape[:3], 0.25))
    back = motionhub.from_movement(motionhub.to_movement(sequence))
    np.testing.assert_array_equal(back.keypoints, sequence.keypoints)
    assert (back.layout, back.fps, back.unit, back.up) == (sequence.layout, sequence.fps, sequence.unit, up)
    assert back.track_ids == (4, 2) and (back.confidence is None) == (not scored)


def foreign(**changes):
    """As `movement` makes one of a DeepLabCut file; newer versions say keypoint and individual."""
    parts = {
        "data_vars": {"position": (("individual", "keypoint", "space", "time"), np.arange(24.0).reshape(2, 2, 2, 3))},
        "coords": {"space": ["x", "y"], "keypoint": ["nose", "LHip"], "individual": ["Ann", "Bob"]},
        "attrs": {"fps": 25.0, "time_unit": "seconds", "source_software": "DeepLabCut"},
    }
    return xarray.Dataset(**{**parts, **changes})


def test_a_dataset_of_movement_in_any_order_of_dimensions_is_pixels():
    back = motionhub.from_movement(foreign())
    assert (back.layout.joints, back.fps, back.unit, back.confidence) == (("nose", "left_hip"), 25, "pixel", None)
    assert back.keypoints[1, 2, 0].tolist() == [14, 17]


def test_what_a_dataset_lacks_or_contradicts_is_an_error_in_one_line():
    with pytest.raises(ValueError, match="fps: the file does not state it"):
        motionhub.from_movement(foreign(attrs={}))
    assert motionhub.from_movement(foreign(attrs={}), fps=50).fps == 50
    with pytest.raises(ValueError, match="states fps 25, but fps 50"):
        motionhub.from_movement(foreign(), fps=50)
    with pytest.raises(ValueError, match="expected the dimensions"):
        motionhub.from_movement(foreign(data_vars={"position": (("time", "space"), np.zeros((3, 2)))}))
    with pytest.raises(ValueError, match="position: expected a variable of this name"):
        motionhub.from_movement(foreign(data_vars={}))
    with pytest.raises(ValueError, match="expected x, y or x, y, z"):
        motionhub.from_movement(foreign(coords={"space": ["rho", "phi"], "keypoint": ["a", "b"]}))


def test_without_xarray_the_command_that_installs_it_is_shown(monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ImportError, match=r'pip install "motionhub\[movement\]"'):
        motionhub.to_movement(clip())
