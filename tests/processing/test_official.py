"""The official dataset scripts, number by number."""

import numpy as np
import pytest
import torch

from motionhub.processing.skeleton import SkeletonProcessor
from motionhub.runtime import normalization, steps
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def probe(*shape: int) -> torch.Tensor:
    """The deterministic input of the goldens, with the end of the clip and a start of the second person empty."""
    index = np.arange(np.prod(shape))
    data = torch.from_numpy((np.cos(0.13 * index) + 0.3 * np.sin(0.017 * index)).reshape(shape).astype(np.float32))
    data[:, :, 12:] = 0
    data[:, :, :2, :, 1] = 0
    return data


def official(data: torch.Tensor, *rule) -> torch.Tensor:
    """Our steps on official arrays `(clips, dims, frames, joints, people)`, in which zero means missing: the empty
    tail of every person is filled; then, if the rule names joints by their index, the clip is centred and turned.
    """
    keypoints = data.permute(0, 4, 2, 3, 1)
    clips = keypoints.masked_fill((keypoints.sum(-1) == 0)[..., None], torch.nan)
    clips = np.stack([steps.replay(clip.numpy()) for clip in clips])
    if rule:
        joint, vertical, lateral, centring = rule
        names = tuple(str(index) for index in range(data.shape[3]))
        layout = SkeletonLayout("official", names, bones=(), root=names[joint])
        given = (names[joint], [names[index] for index in vertical], [names[index] for index in lateral], centring)
        clips = np.stack([normalization.align(clip, layout, *given).apply(clip) for clip in clips])
    return torch.from_numpy(clips).nan_to_num(nan=0.0).permute(0, 4, 2, 3, 1)


# Sum, mean absolute value, first four and last number of what the official scripts give for the probe.
EXPECTED = {
    "agcn_pre_norm": (-441.544478, 0.693314, (-0.005017, -0.251917, 0, -0.054954), 0.100362),
    "unik_pre_norm": (-1698.416529, 0.748443, (0.360509, 0.480293, 0.319642, 0.256312), 0.122379),
    "2d_pad": (6.071729, 0.652228, (1.0, -0.621783, 0.976588, -0.700725), -1.106739),
}
RESULTS = {
    "agcn_pre_norm": lambda: official(probe(1, 3, 20, 25, 2), 1, (0, 1), (8, 4), "per-frame"),
    "unik_pre_norm": lambda: official(probe(1, 3, 20, 25, 2), 3, (2, 4), (5, 6), "first-frame"),
    "2d_pad": lambda: official(probe(1, 2, 20, 17, 2)),
}


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_published_numbers(name):
    result = RESULTS[name]().double()
    total, mean, first, last = EXPECTED[name]
    assert float(result.sum()) == pytest.approx(total, abs=2e-3)
    assert float(result.abs().mean()) == pytest.approx(mean, abs=2e-6)
    assert result.flatten()[:4].tolist() == pytest.approx(first, abs=2e-6)
    assert float(result.flatten()[-1]) == pytest.approx(last, abs=2e-6)


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_golden_arrays(name, shared):
    golden = np.load(shared("golden/datagen.npz"))[name]
    np.testing.assert_allclose(RESULTS[name]().numpy(), golden, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("name", "selection"), [("smarthome", "energy"), ("penn", "first")])
def test_processor_reproduces_the_official_reader_from_pixels(name, selection, shared):
    """LCRNet-13 in pixels -> Posetics-17, people by energy (a tie), screen normalisation, an empty frame as zeros.

    The input of this golden is not written down; its 340 numbers are linear in joint and frame, which gives it.
    """
    joint, frame = np.arange(13), np.arange(6)[:, None]
    person = np.stack(np.broadcast_arrays(100 + 7.0 * joint + 3 * frame, 200 + 5.0 * joint + 2 * frame), axis=-1)
    people = np.stack([person, person + [50, 20]])
    people[:, 3] = np.nan
    sequence = SkeletonSequence(people, "lcrnet-13", fps=30, unit="pixel", image_size=(640, 480))
    result = SkeletonProcessor(people_selection=selection)(sequence)["keypoints"][0]
    golden = np.load(shared("golden/datagen.npz"))[name]
    np.testing.assert_allclose(result.permute(3, 1, 2, 0), golden, atol=1e-6, rtol=0)


def test_replay_loops_the_frames_before_an_empty_tail():
    def frames(*present: bool) -> list[int]:
        return steps.replay_positions(np.array(present)).tolist()

    assert frames(True, True, True, False, False, False, False, False) == [0, 1, 2, 0, 1, 2, 0, 1]
    assert frames(True, False, True, False, False) == [0, 1, 2, 0, 1]  # an empty frame inside stays
    assert frames(False, False, True, False, True) == [2, 4, 2, 4, 2]  # empty at the start: compacted
    assert frames(True, True, True) == [0, 1, 2]
    assert frames(False, False) == [0, 1]


def test_replay_leaves_an_absent_person_absent():
    keypoints = np.ones((2, 4, 3, 2), np.float32)
    keypoints[1] = float("nan")
    assert np.isnan(steps.replay(keypoints)[1]).all()
