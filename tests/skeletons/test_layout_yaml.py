"""A layout declared in ten lines of YAML: read, refused with the place, carried along by what was made with it."""

import json

import numpy as np
import pytest
from helpers import read_json

from motionhub.data.datasets.reading import read
from motionhub.skeletons.convert import convert_layout
from motionhub.skeletons.layout import MAX_BYTES, SkeletonLayout
from motionhub.skeletons.layouts import LAYOUTS, get_layout, load_layout
from motionhub.skeletons.rows import from_row, to_row
from motionhub.skeletons.sequence import SkeletonSequence


UPPER = """\
name: upper-9
description: what a webcam sees of who sits at a desk
root: neck
joints: [nose, neck, left_shoulder, left_elbow, left_wrist, right_shoulder, right_elbow, right_wrist, cup]
bones:
  - [nose, neck]
  - [left_shoulder, neck]
  - [right_shoulder, neck]
  - [left_elbow, left_shoulder]
  - [left_wrist, left_elbow]
"""


@pytest.fixture
def declared(tmp_path):
    """`declared("name: ...")` is the path of a file with that text."""

    def write(text, name="mine.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_ten_lines_declare_a_layout_whose_sides_and_indices_are_derived(declared):
    layout = load_layout(declared(UPPER))
    assert UPPER.count("\n") == 10
    assert (layout.name, layout.root, layout.num_joints) == ("upper-9", "neck", 9)
    assert layout.description == "what a webcam sees of who sits at a desk"
    assert layout.mirror.tolist() == [0, 1, 5, 6, 7, 2, 3, 4, 8]
    assert layout.bone_indices.tolist() == [[0, 1], [2, 1], [5, 1], [3, 2], [4, 3]]


def test_bones_may_be_left_out_for_an_encoder_that_needs_none(declared):
    assert load_layout(declared("name: dots\nroot: a\njoints: [a, b]\n")).bones == ()


@pytest.mark.parametrize("given", [str, lambda path: path, load_layout, lambda path: load_layout(path).to_dict()])
def test_wherever_a_layout_is_asked_for_its_file_will_do(declared, given):
    path = declared(UPPER)
    sequence = SkeletonSequence(np.zeros((4, 9, 2)), given(path), 30, "pixel")
    assert sequence.layout == load_layout(path) == get_layout(given(path))


def test_the_order_of_keys_and_the_description_do_not_matter(declared):
    turned = "root: b\nbones: [[a, b]]\njoints: [a, b]\nname: two\ndescription: other words\n"
    other = "name: two\njoints: [a, b]\nroot: b\nbones: [[a, b]]\n"
    assert load_layout(declared(turned)) == load_layout(declared(other, "other.yml"))


@pytest.mark.parametrize("name", LAYOUTS)
def test_plain_dictionaries_bring_every_layout_of_the_library_back(name):
    assert SkeletonLayout.from_dict(json.loads(json.dumps(LAYOUTS[name].to_dict()))) == LAYOUTS[name]


BASE = {"name": "two", "root": "hub", "joints": "[hub, left_a, right_a]", "bones": "[[left_a, hub], [right_a, hub]]"}
REFUSED = {
    "unknown key": ({"joint": "[a]"}, "unknown keys ['joint']"),
    "no root": ({"root": None}, "needs root"),
    "empty root": ({"root": ""}, "needs root"),
    "no joints": ({"joints": "[]"}, "needs joints"),
    "duplicate joint": ({"joints": "[hub, left_a, right_a, hub]"}, "['hub'] occur more than once"),
    "bone to an unknown joint": ({"bones": "[[left_a, hip]]"}, "got ['hip']"),
    "unknown root": ({"root": "hip"}, "got ['hip']"),
    "left without right": ({"joints": "[hub, left_a]", "bones": "[]"}, "'left_a' has no right_a"),
    "right without left": ({"joints": "[hub, right_b]", "bones": "[]"}, "'right_b' has no left_b"),
    "circle": ({"bones": "[[left_a, right_a], [right_a, hub], [hub, left_a]]"}, "circle: left_a -> right_a -> hub"),
    "bone to itself": ({"bones": "[[left_a, left_a]]"}, "circle: left_a -> left_a"),
    "two parents": ({"bones": "[[left_a, hub], [left_a, right_a]]"}, "['left_a'] are the child of several"),
    "bone of three": ({"bones": "[[left_a, hub, right_a]]"}, "pairs [child, parent]"),
    "bone as text": ({"bones": "[left_a]"}, "pairs [child, parent]"),
    "joints as text": ({"joints": "hub"}, "joints must be a list"),
    "a joint that YAML reads as false": ({"joints": "[hub, no]"}, "joints must be text, got False"),
    "a number for a joint": ({"joints": "[hub, 7]"}, 'put it in quotes: "7"'),
    "dims": ({"dims": "4"}, "dims must be 2 or 3"),
    "the library's name": ({"name": "coco-17"}, "choose another name"),
    "too many joints": (
        {"joints": f"[hub, {', '.join(f'j{n}' for n in range(1000))}]", "bones": "[]"},
        "at most 1000",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_sentence_with_the_file(declared, case):
    changes, words = REFUSED[case]
    lines = [f"{key}: {value}" for key, value in {**BASE, **changes}.items() if value is not None]
    path = declared("\n".join(lines))
    with pytest.raises(ValueError, match="mine.yaml") as caught:
        load_layout(path)
    assert words in str(caught.value) and "\n" not in str(caught.value)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
HOSTILE = {
    "bomb": (BOMB, "anchors"),
    "code": ("name: !!python/object/apply:os.system ['true']\n", "not YAML in line 1"),
    "depth": ("joints: " + "[" * 5000, "nested too deeply"),
    "huge": ("joints: [" + "a, " * MAX_BYTES, "bytes"),
    "key twice": ("name: a\nname: b\nroot: x\njoints: [x]\n", "['name'] are given twice"),
    "two documents": ("name: a\n---\nname: b\n", "not YAML"),
    "broken": ("name: [a\nroot: b", "not YAML in line 2"),
    "no mapping": ("- a\n- b\n", "got list"),
    "empty": ("", "got NoneType"),
    "binary": (b"\xff\xfe\x00\x01", "UTF-8"),
    "control characters": ("name: a\x00b", "not YAML"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_or_broken_file_is_refused_before_anything_is_built(declared, case):
    text, words = HOSTILE[case]
    with pytest.raises(ValueError, match="mine.yaml") as caught:
        load_layout(declared(text))
    assert words in str(caught.value) and len(str(caught.value)) < 400


def test_absent_files_and_folders_are_one_error(tmp_path):
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(ValueError, match="no such file"):
            load_layout(path)
    with pytest.raises(ValueError, match="no such file"):
        get_layout(str(tmp_path / "none.yaml"))


def test_declared_dims_hold_for_every_sequence(declared):
    layout = load_layout(declared("name: flat\nroot: a\njoints: [a, b]\ndims: 2\n"))
    assert SkeletonSequence(np.zeros((1, 2, 2)), layout, 30, "pixel").num_dims == 2
    with pytest.raises(ValueError, match="declared with dims: 2, but keypoints have 3"):
        SkeletonSequence(np.zeros((1, 2, 3)), layout, 30, "metre")


def test_conversion_to_and_from_known_layouts_goes_by_joint_names(declared):
    layout = load_layout(declared(UPPER))
    coco = get_layout("coco-17")
    points = np.random.default_rng(0).normal(size=(2, 17, 3)).astype(np.float32)
    mine, report = convert_layout(SkeletonSequence(points, coco, 30, "metre"), layout, return_report=True)
    for joint in ("nose", "left_wrist", "right_elbow"):
        np.testing.assert_allclose(mine.keypoints[0, :, layout.index(joint)], points[:, coco.index(joint)])
    # The neck is the middle of the shoulders, by the library's recipe.
    middle = (points[:, coco.index("left_shoulder")] + points[:, coco.index("right_shoulder")]) / 2
    np.testing.assert_allclose(mine.keypoints[0, :, layout.index("neck")], middle, atol=1e-6)
    assert report.missing == ("cup",)
    back = convert_layout(mine, coco)
    np.testing.assert_allclose(back.keypoints[0, :, coco.index("left_elbow")], points[:, coco.index("left_elbow")])
    assert np.isnan(back.keypoints[0, :, coco.index("left_knee")]).all()


def test_a_row_carries_the_layout_itself(declared):
    path = declared(UPPER)
    sequence = SkeletonSequence(np.ones((3, 9, 2)), load_layout(path), 30, "pixel")
    row = to_row(sequence)
    path.unlink()
    assert from_row(row).layout == sequence.layout
    assert json.loads(row["layout"])["joints"] == list(sequence.layout.joints)


def test_the_processor_config_carries_the_layout_itself(declared, tmp_path):
    from motionhub.processing.skeleton import SkeletonProcessor

    path = declared(UPPER)
    options = {"num_dims": 2, "normalization": "centre", "num_people": 1}
    SkeletonProcessor(layout=str(path), **options).save_pretrained(tmp_path / "saved")
    path.unlink()
    assert read_json(tmp_path / "saved" / "preprocessor_config.json")["layout"]["name"] == "upper-9"
    loaded = SkeletonProcessor.from_pretrained(tmp_path / "saved")
    points = np.random.default_rng(0).normal(size=(5, 17, 2))
    batch = loaded(SkeletonSequence(points, "coco-17", 30, "pixel"))
    assert batch["keypoints"].shape == (1, 1, 5, 9, 2)
    assert batch["joint_mask"][0, 0, 0].tolist() == [True] * 8 + [False]  # COCO has no cup


@pytest.mark.parametrize("kind", ["SkeletonProcessor", "RetargetProcessor"])
def test_a_saved_path_is_refused_and_replaced_by_the_layout_itself(kind, declared, tmp_path):
    import motionhub

    processor_class = getattr(motionhub, kind)
    path, folder = declared(UPPER), tmp_path / "saved"
    processor_class(layout=path).save_pretrained(folder)
    file = folder / "preprocessor_config.json"
    carried = file.read_text()
    assert json.loads(carried)["layout"] == load_layout(path).to_dict()
    file.write_text(json.dumps({**json.loads(carried), "layout": str(path)}))  # as written by hand
    with pytest.raises(ValueError, match="does not carry its layout"):
        processor_class.from_pretrained(folder)
    processor_class.from_pretrained(folder, layout=str(path)).save_pretrained(folder)
    path.unlink()
    assert file.read_text() == carried
    assert (
        processor_class.from_pretrained(folder).to_dict() == processor_class.from_dict(json.loads(carried)).to_dict()
    )


def test_the_processor_keeps_a_known_layout_as_its_name():
    from motionhub.processing.skeleton import SkeletonProcessor

    assert SkeletonProcessor(layout=get_layout("coco-17")).layout == "coco-17"


FIVE_LINES = """\
name: my-rig
names:
  Bone_04: left_hip
  Bone_05: left_knee
  Bone_08: right_hip
  Bone_09: right_knee
"""


def test_a_mapping_of_names_is_a_layout_with_the_usual_bones(declared):
    layout = load_layout(declared(FIVE_LINES))
    assert layout.joints == ("left_hip", "left_knee", "right_hip", "right_knee") and layout.root == "left_hip"
    assert layout.bones == (("left_knee", "left_hip"), ("right_knee", "right_hip"))
    assert get_layout(layout.to_dict()).names == layout.names


def test_files_with_names_of_nobodys_convention_are_read_by_the_mapping(declared, tmp_path):
    path = tmp_path / "clip.csv"
    columns = [f"Bone_{number:02}_{axis}" for number in (9, 8, 5, 4) for axis in "xyz"]
    path.write_text(",".join(columns) + "\n" + ",".join(map(str, range(12))) + "\n")
    (clip,) = read(path, layout=declared(FIVE_LINES), fps=30, unit="metre")
    assert clip.keypoints[0, 0, clip.layout.index("left_knee")].tolist() == [6, 7, 8]
    assert set(convert_layout(clip, "coco-17", return_report=True)[1].copied) == set(clip.layout.joints)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ("{Bone_04: left_hip}", "joint 'left_hip' has no right_hip"),
        ("[Bone_04]", "names must map"),
        ("{1: left_hip}", "names must be text"),
        ("{a: x}\njoints: [y]\nroot: y", "names must lead to joints"),
    ],
)
def test_a_wrong_mapping_is_refused_with_the_reason(declared, names, reason):
    with pytest.raises(ValueError, match=reason):
        load_layout(declared(f"name: rig\nnames: {names}\n"))
