"""Folders become takes: by the names of NTU RGB+D, of U-VI's DensePose, of others; one alone is reported."""

import numpy as np
import pytest
import torch

from motionhub.data.views.view_pairs import ViewPairDataset, collate_view_pairs, find_takes
from motionhub.processing.posture_images import PostureImageProcessor


image = pytest.importorskip("PIL.Image")


def written(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    image.fromarray(picture).save(path)


def depth(place, *, empty=False):
    """A person of one metre's height and a depth that says which image it is."""
    picture = np.zeros((20, 30), np.uint16)
    if not empty:
        picture[4:16, place : place + 4] = 2000
    return picture


def columns(picture):
    """First column of the person, when nothing is cut out."""
    return int(torch.nonzero(picture[0].any(0))[0])


WHOLE = PostureImageProcessor(image_size=30, in_channels=1, crop="none")


def test_clips_of_ntu_are_one_take_by_all_their_cameras(tmp_path):
    for camera in (1, 2, 3):
        for number in (1, 2, 3):
            name = f"S001C00{camera}P001R001A007/MDepth-{number:08d}.png"
            written(tmp_path / "MaskedDepth" / name, depth(5 * camera + number))
    written(tmp_path / "MaskedDepth" / "S001C001P001R001A008" / "MDepth-00000001.png", depth(1))
    with pytest.warns(UserWarning, match=r"1 of 2 takes .*S001P001R001A008"):
        [take] = find_takes(tmp_path, WHOLE.prepare)
    assert take.name == "MaskedDepth/S001P001R001A007" and take.num_frames == 3 and len(take.folders) == 3
    pictures = take.images([0, 2], np.random.default_rng(0))
    assert pictures.shape == (2, 2, 1, 30, 30)
    first, last = ([columns(view) for view in moment] for moment in pictures)
    assert [one + 2 for one in first] == last and first[0] != first[1]  # the same two cameras, two frames later


def test_other_folders_are_take_camera_image_and_only_common_names_are_moments(tmp_path):
    for camera, numbers in (("left", (1, 2, 3)), ("right", (2, 3, 4))):
        for number in numbers:
            written(tmp_path / "squat" / camera / f"{number}.png", depth(number))
    [take] = find_takes(tmp_path, WHOLE.prepare)
    assert take.name == "squat" and take.moments == ("2.png", "3.png")
    batch = collate_view_pairs([ViewPairDataset([take])[0]])
    assert batch["views"].shape == (1, 2, 1, 30, 30)


def test_densepose_of_the_official_folders_is_read(tmp_path):
    import pickle

    person = [torch.tensor([100.0, 50.0]), torch.full((3, 40, 20), 12, dtype=torch.uint8)]
    for device in (1, 2):
        folder = tmp_path / "1" / "2" / f"device_{device}" / "COLOR"
        folder.mkdir(parents=True)
        (folder / "a.pkl").write_bytes(pickle.dumps([person, "not a person"]))
    [take] = find_takes(tmp_path, PostureImageProcessor(kind="iuv", image_size=32).prepare)
    assert take.name == "1/2/COLOR" and [folder.parent.name for folder in take.folders] == ["device_1", "device_2"]
    assert take.images([0], np.random.default_rng(0)).shape == (1, 2, 3, 32, 32)


def test_where_nobody_is_a_moment_near_by_is_taken(tmp_path):
    for camera in ("a", "b"):
        for number in range(9):
            written(tmp_path / "walk" / camera / f"{number}.png", depth(number, empty=number in (3, 4)))
    [take] = find_takes(tmp_path, WHOLE.prepare)
    assert columns(take.images([3], np.random.default_rng(0))[0, 0]) == 2  # 4 is as near and as empty
    for number in range(9):
        written(tmp_path / "walk" / "b" / f"{number}.png", depth(number, empty=True))
    with pytest.raises(ValueError, match=r"3\.png: take walk: no person is visible in both views"):
        take.images([3], np.random.default_rng(0))


def test_what_gives_no_pair_says_why(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="no images; expected TAKE/CAMERA/IMAGE"):
        find_takes(tmp_path / "empty", WHOLE.prepare)
    written(tmp_path / "one" / "walk" / "a" / "1.png", depth(3))
    with pytest.raises(ValueError, match="A pair needs two cameras"):
        find_takes(tmp_path / "one", WHOLE.prepare)
    for camera in ("a", "b"):
        written(tmp_path / "eight" / "walk" / camera / "1.png", depth(3).astype(np.uint8))
        written(tmp_path / "colour" / "walk" / camera / "1.png", np.ones((8, 8, 3), np.uint8))
        written(tmp_path / "cut" / "walk" / camera / "1.png", depth(3))
    (tmp_path / "cut/walk/a/1.png").write_bytes((tmp_path / "cut/walk/a/1.png").read_bytes()[:40])
    for folder, reason in (("eight", r"1\.png: image: Depth in 8 bits"), ("colour", "one number per pixel"),
                           ("cut", "cannot be read")):  # fmt: skip
        [take] = find_takes(tmp_path / folder, WHOLE.prepare)
        with pytest.raises(ValueError, match=reason):
            take.images([0], np.random.default_rng(0))
