"""Images of skeletons: what is drawn where and in which colour, and clear outcomes where nothing is to be drawn."""

import sys

import numpy as np
import pytest
from analytic_motions import pendulum_arm

from motionhub.data.synthetic.generate import generate
from motionhub.skeletons.layouts import get_layout
from motionhub.skeletons.sequence import SkeletonSequence
from motionhub.visualization import canvas
from motionhub.visualization.animate import _labels_of_people, animate
from motionhub.visualization.draw import draw_frame, skeleton_strip


Image = pytest.importorskip("PIL.Image")

COCO = get_layout("coco-17")


def empty(num_people=1, num_frames=3, num_dims=2):
    return SkeletonSequence(
        np.full((num_people, num_frames, 17, num_dims), np.nan), layout="coco-17", fps=10.0, unit="pixel"
    )


def standing_2d():
    """A body in pixels, y down, its left side at the larger x; sides 60 pixels apart."""
    rows = {
        "nose": 0,
        "eye": 0,
        "ear": 0,
        "shoulder": 40,
        "elbow": 70,
        "wrist": 100,
        "hip": 110,
        "knee": 160,
        "ankle": 210,
    }
    points = np.zeros((1, 1, 17, 2))
    for index, joint in enumerate(COCO.joints):
        side = 30 if joint.startswith("left_") else -30 if joint.startswith("right_") else 0
        points[0, 0, index] = [100 + side, 20 + rows[joint.removeprefix("left_").removeprefix("right_")]]
    return SkeletonSequence(points, layout="coco-17", fps=10.0, unit="pixel")


def where(image, colour):
    """Middle (x, y) of the pixels of exactly this colour."""
    rows, columns = np.nonzero((image == np.array(colour)).all(axis=-1))
    assert len(rows) > 20, f"colour {colour} is not in the picture"
    return columns.mean(), rows.mean()


def is_blank(image):
    return (image == 255).all()


# One frame


def test_left_and_right_have_their_colours_on_their_sides_in_2d():
    image = draw_frame(standing_2d(), show_joint_names=False)
    assert where(image, canvas.LEFT)[0] > where(image, canvas.RIGHT)[0] + 50


def test_exchanging_left_and_right_exchanges_the_colours():
    sequence = standing_2d()
    swapped = sequence.replace(keypoints=sequence.keypoints[:, :, COCO.mirror])
    image = draw_frame(swapped, show_joint_names=False)
    assert where(image, canvas.LEFT)[0] < where(image, canvas.RIGHT)[0] - 50


def test_pixels_have_y_down_and_metres_y_up():
    head = canvas.MIDDLE  # of the Kinect body, the only large grey place besides the trunk
    upright = generate("bow", seed=0)
    assert where(draw_frame(upright, show_joint_names=False), head)[1] < 280
    flat, _ = canvas.viewed(standing_2d())
    np.testing.assert_array_equal(flat, standing_2d().keypoints)
    points, _ = canvas.viewed(upright)
    np.testing.assert_allclose(points[..., 1], -upright.keypoints[..., 1], atol=1e-6)


def test_views_are_quarter_turns():
    sequence = generate("throw", seed=0, num_frames=4)
    x, y, z = np.moveaxis(sequence.keypoints.astype(np.float64), -1, 0)
    for view, across, down, away in (("front", x, -y, z), ("side", z, -y, -x), ("top", x, -z, -y)):
        points, depth = canvas.viewed(sequence, view)
        np.testing.assert_allclose(points[..., 0], across, atol=1e-9)
        np.testing.assert_allclose(points[..., 1], down, atol=1e-9)
        np.testing.assert_allclose(depth, away, atol=1e-9)


def test_a_missing_joint_is_not_drawn_and_is_listed():
    sequence = standing_2d()
    keypoints = sequence.keypoints.copy()
    left = [index for index, joint in enumerate(COCO.joints) if joint.startswith("left_")]
    keypoints[:, :, left] = np.nan
    image = draw_frame(sequence.replace(keypoints=keypoints), show_joint_names=False)
    legend = image[: round(0.95 * len(image))]
    assert not (legend == np.array(canvas.LEFT)).all(axis=-1).any()
    where(legend, canvas.RIGHT)


def test_people_have_different_shades():
    body = standing_2d().keypoints
    pair = SkeletonSequence(np.concatenate([body, body + [150, 0]]), layout="coco-17", fps=10.0, unit="pixel")
    image = draw_frame(pair, show_joint_names=False)
    first, second = (canvas.side_colour("left_knee", person) for person in (0, 1))
    assert first != second
    assert where(image, second)[0] > where(image, first)[0] + 50


def test_names_of_joints_do_not_overlap(monkeypatch):
    written = []
    original = canvas.Canvas.text

    def spy(self, x, y, text, size, *rest):
        written.append((text, x, y, size))
        original(self, x, y, text, size, *rest)

    monkeypatch.setattr(canvas.Canvas, "text", spy)
    sequence = generate("wave", layout="ntu-25")
    draw_frame(sequence)
    names = [entry for entry in written if entry[0][0].isdigit()]
    seen = np.flatnonzero(sequence.joint_mask[0, 0])
    assert {name for name, *_ in names} == {f"{index} {sequence.layout.joints[index]}" for index in seen}
    for column in {x for _, x, _, _ in names}:
        heights = sorted(y for _, x, y, _ in names if x == column)
        assert np.diff(heights).min() >= names[0][3]


def test_png_is_what_was_returned(tmp_path):
    path = tmp_path / "new folder" / "frame.png"
    image = draw_frame(generate("kick"), -1, path)
    np.testing.assert_array_equal(np.asarray(Image.open(path)), image)
    assert not is_blank(image)


@pytest.mark.parametrize("frame", [3, -4])
def test_a_frame_that_does_not_exist_is_refused(frame):
    with pytest.raises(ValueError, match=r"frame must be in 0\.\.2"):
        draw_frame(empty(), frame)


def test_a_view_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="view must be one of"):
        draw_frame(generate("bow"), view="behind")


# A strip


def test_a_strip_has_one_column_per_frame(tmp_path):
    sequence = pendulum_arm(num_frames=20)
    strips = [skeleton_strip(sequence, num_frames=count, size=160) for count in (4, 8)]
    assert strips[1].shape == (160, 2 * strips[0].shape[1], 3)
    quarters = np.split(strips[0], 4, axis=1)
    assert all(not is_blank(quarter) for quarter in quarters)
    assert skeleton_strip(sequence, num_frames=99, size=160).shape[1] == 20 * quarters[0].shape[1]


def test_who_walks_stays_in_the_column():
    sequence = generate("walk around", seed=1)
    columns = np.split(skeleton_strip(sequence, num_frames=6), 6, axis=1)
    for column in columns:
        inked = np.flatnonzero((column[:-20] < 200).any(axis=(0, 2)))
        assert abs((inked.min() + inked.max()) / 2 - column.shape[1] / 2) < 6


@pytest.mark.parametrize("frames", [[], [3]])
def test_frames_of_a_strip_must_exist(frames):
    with pytest.raises(ValueError, match="at least one of the clip's 3 frames"):
        skeleton_strip(empty(), frames=frames)


# Animation


def test_gif_has_every_frame_the_size_and_the_pace(tmp_path):
    sequence = generate("throw", seed=1, num_frames=50)
    path = animate(sequence, tmp_path / "throw.gif", size=200)
    with Image.open(path) as picture:
        assert picture.n_frames == 50
        assert picture.size[0] == 200
        assert picture.info["loop"] == 0
        total = 0
        for frame in range(picture.n_frames):
            picture.seek(frame)
            total += picture.info["duration"]
    assert total == pytest.approx(50 / 30 * 1000, abs=10)


def test_a_long_clip_is_thinned_and_plays_as_long(tmp_path):
    sequence = generate("walk around", num_frames=10_000)
    path = animate(sequence, tmp_path / "long.gif", size=120, max_frames=40)
    with Image.open(path) as picture:
        total = 0
        for frame in range(picture.n_frames):
            picture.seek(frame)
            total += picture.info["duration"]
        assert picture.n_frames == 40
    assert total == pytest.approx(10_000 / 30 * 1000, rel=0.001)


def test_gif_keeps_the_colours_of_the_sides(tmp_path):
    path = animate(standing_2d(), tmp_path / "still.gif", scores=[{"label": "standing", "score": 0.9}])
    image = np.asarray(Image.open(path).convert("RGB"))
    assert where(image, canvas.LEFT)[0] > where(image, canvas.RIGHT)[0] + 50
    assert (image[0, 0] == 255).all()


def test_score_bars_are_as_long_as_the_scores():
    from motionhub.visualization import animate as module

    sequence = standing_2d()
    names, values = module._score_table([("b", 0.25), ("a", 0.75)], None, 1)
    page = module._Page(sequence, names, values, None, None, None, 5, "front", 300)
    image = np.asarray(page.drawn(0))
    panel = image[: -module._TIMELINE, 300:]
    bars = (panel == np.array(module.ACCENT)).all(axis=-1).sum(axis=1).max()
    room = page.background.width - 30 - 318
    assert bars == pytest.approx(0.75 * room, abs=4)


def test_scores_per_frame_and_labels_are_drawn(tmp_path):
    sequence = generate("wave", second_person="clap", num_frames=12)
    plain = animate(sequence, tmp_path / "plain.gif", size=200)
    rich = animate(
        sequence,
        tmp_path / "rich.gif",
        labels=["wave", "clap"],
        frame_labels=[None] * 4 + ["wave"] * 8,
        scores=np.linspace(0, 1, 24).reshape(12, 2),
        score_names=["wave", "clap"],
        title="two people",
        size=200,
    )
    with Image.open(plain) as first, Image.open(rich) as second:
        assert second.n_frames == 12
        assert second.size[0] > first.size[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"labels": ["a", "b"]}, "one per person"),
        ({"frame_labels": ["a"]}, "one per frame"),
        ({"scores": np.zeros((3, 2))}, "score_names"),
        ({"scores": np.zeros((2, 2)), "score_names": ["a", "b"]}, r"\(3, 2\)"),
    ],
)
def test_labels_and_scores_must_fit_the_clip(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        animate(empty(), tmp_path / "never.gif", **arguments)
    assert not list(tmp_path.iterdir())


# Nothing to draw


@pytest.mark.parametrize("num_people", [0, 1])
@pytest.mark.parametrize("num_dims", [2, 3])
def test_all_missing_and_nobody_say_so_in_the_image(num_people, num_dims, tmp_path, recwarn):
    sequence = empty(num_people, num_dims=num_dims)
    frame = draw_frame(sequence)
    middle = frame[200:360, 300:540]
    assert not is_blank(middle)  # the words
    assert not is_blank(skeleton_strip(sequence))
    with Image.open(animate(sequence, tmp_path / "nothing.gif")) as picture:
        assert picture.n_frames == 3  # the play head moves
    assert not [warning for warning in recwarn if issubclass(warning.category, RuntimeWarning)]


def test_no_frame_is_refused(tmp_path):
    sequence = empty(num_frames=0)
    with pytest.raises(ValueError, match="at least one frame"):
        animate(sequence, tmp_path / "never.gif")
    with pytest.raises(ValueError, match="at least one of the clip's 0 frames"):
        skeleton_strip(sequence)
    with pytest.raises(ValueError, match="clip of 0 frames"):
        draw_frame(sequence)


def test_one_joint_in_one_frame_is_drawn():
    keypoints = np.full((1, 1, 17, 2), np.nan)
    keypoints[0, 0, COCO.index("left_wrist")] = [5, 5]
    image = draw_frame(SkeletonSequence(keypoints, layout="coco-17", fps=1.0, unit="pixel"), show_joint_names=False)
    assert not is_blank(image[200:360])


def test_without_the_extra_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)  # makes the import fail
    with pytest.raises(ImportError, match=r'pip install "motionhub\[viz\]"'):
        draw_frame(standing_2d())


def test_every_person_has_a_timeline_and_is_named_while_acting(tmp_path):
    clip = generate("wave", second_person="clap", seed=0, num_frames=20, fps=10)
    rows = [
        {"track_id": 0, "start_s": 0.0, "end_s": 1.0, "label": "wave"},
        {"track_id": 1, "start_s": 1.0, "end_s": 2.0, "label": "clap"},
    ]
    lanes = _labels_of_people(rows, clip)
    assert lanes == {0: ["wave"] * 10 + [None] * 10, 1: [None] * 10 + ["clap"] * 10}
    one = Image.open(animate(clip.person(0), tmp_path / "one.gif", intervals=rows[:1]))
    two = Image.open(animate(clip, tmp_path / "two.gif", intervals=rows))
    assert two.height > one.height and two.n_frames > 1
    with pytest.raises(ValueError, match="people of the clip"):
        animate(clip, tmp_path / "x.gif", intervals=[{**rows[0], "track_id": 7}])
