"""Charts: a PNG that holds what it should, inputs that do not fit refused, and no global state of pyplot."""

import json
import sys

import numpy as np
import pytest

from motionhub.visualization import plots


pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")


def read(path):
    image = np.asarray(Image.open(path).convert("RGB")).astype(int)
    assert image.shape[0] > 100 and image.shape[1] > 100
    return image


def test_confusion_is_dark_where_the_counts_are(tmp_path):
    path = plots.plot_confusion_matrix(np.diag([5, 7, 0]), ["walk", "sit", "stand"], tmp_path / "new" / "matrix.png")
    blues = read(path)
    dark = (blues[..., 2] - blues[..., 0] > 60) & (blues[..., 0] < 60)  # the darkest of the colour map
    rows, columns = np.nonzero(dark)
    # Two full cells on the diagonal: what is lower is also farther to the right.
    assert np.corrcoef(rows, columns)[0, 1] > 0.5


def test_bars_rise_with_the_values(tmp_path):
    def ink(values):
        image = read(plots.plot_per_class(["a", "b"], values, tmp_path / "bars.png"))
        return (np.abs(image - [0, 114, 178]).sum(axis=-1) < 12).sum()

    assert ink([0.9, 0.9]) > 1.7 * ink([0.45, 0.45])
    assert ink([0.9, None]) > 0


def test_curves_of_a_log_with_a_line_cut_short(tmp_path):
    log = tmp_path / "log.jsonl"
    lines = [json.dumps({"kind": "train", "step": step, "epoch": 0, "loss": 1 / (step + 1)}) for step in range(5)]
    log.write_text(
        "\n".join([*lines, json.dumps({"kind": "eval", "step": 4, "epoch": 0, "top1": 0.5}), '{"kind": "tr'])
    )
    records = plots._records(log)
    assert plots._series(records) == {
        ("train", "loss"): [(step, 1 / (step + 1)) for step in range(5)],
        ("eval", "top1"): [(4, 0.5)],
    }
    read(plots.plot_training(log, tmp_path / "curves.png"))


def test_a_log_without_numbers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="numbers in the log"):
        plots.plot_training([{"kind": "train"}], tmp_path / "never.png")


@pytest.mark.parametrize("shape", [(17, 17), (3, 17, 17), (1, 34, 34)])
def test_dependencies_of_one_head_of_several_and_of_a_window(shape, tmp_path):
    matrix = np.zeros(shape)
    matrix[..., 3, 5] = 1.0
    image = read(plots.plot_dependencies(matrix, "coco-17", tmp_path / "dependency.png"))
    yellow = (image[..., 0] > 230) & (image[..., 1] > 210) & (image[..., 2] < 80)  # the top of viridis
    assert yellow.any()


def test_more_heads_make_a_wider_picture(tmp_path):
    one, three = (
        read(plots.plot_attention(np.random.default_rng(0).random((heads, 8, 12)), tmp_path / f"{heads}.png"))
        for heads in (1, 3)
    )
    assert three.shape[1] > 1.8 * one.shape[1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda path: plots.plot_confusion_matrix(np.eye(3), ["a", "b"], path), r"matrix must be \(2, 2\)"),
        (lambda path: plots.plot_per_class(["a"], [0.1, 0.2], path), "one number per class"),
        (lambda path: plots.plot_dependencies(np.eye(16), "coco-17", path), "multiple of 17"),
        (lambda path: plots.plot_dependencies(np.zeros((2, 1, 3, 17, 17)), "coco-17", path), "Take one clip"),
        (lambda path: plots.plot_attention(np.zeros(4), path), r"\(heads, rows, columns\)"),
        (lambda path: plots.plot_attention(np.zeros((2, 4)), path, row_names=["a"]), "row_names must be 2 names"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(call, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "never.png")
    assert not list(tmp_path.iterdir())


def test_pyplot_is_not_touched(tmp_path):
    before = sys.modules.pop("matplotlib.pyplot", None)
    plots.plot_per_class(["a"], [0.5], tmp_path / "bars.png")
    try:
        assert "matplotlib.pyplot" not in sys.modules
    finally:
        if before is not None:
            sys.modules["matplotlib.pyplot"] = before
