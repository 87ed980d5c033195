"""TRC out: millimetres in the file, the same metres back; what the format cannot hold is refused with the reason."""

import numpy as np
import pytest

import motionhub
from motionhub.data.synthetic.generate import Scene, generate
from motionhub.skeletons.layout import SkeletonLayout
from motionhub.skeletons.sequence import SkeletonSequence


def test_positions_are_millimetres_in_the_columns_of_their_joint(tmp_path):
    layout = SkeletonLayout("own-2", ("base", "tip"), (("tip", "base"),), "base")
    places = np.array([[[1.5, -2, 0.25], [0, 0.125, 3]], [[np.nan] * 3, [4, 5, 6]]])
    path = motionhub.write(SkeletonSequence(places, layout, 50, "metre"), tmp_path / "clip.trc")
    lines = [line.split("\t") for line in path.read_text().splitlines()]
    facts = dict(zip(lines[1], lines[2], strict=True))
    assert (facts["Units"], facts["DataRate"], facts["NumFrames"], facts["NumMarkers"]) == ("mm", "50.0", "2", "2")
    assert lines[3][:6] == ["Frame#", "Time", "base", "", "", "tip"]
    assert lines[4][2:] == ["X1", "Y1", "Z1", "X2", "Y2", "Z2"]
    assert lines[5] == ["1", "0.000000", "1500", "-2000", "250", "0", "125", "3000"]
    assert lines[6] == ["2", "0.020000", "", "", "", "4000", "5000", "6000"]


def test_what_is_written_reads_back_bit_for_bit(tmp_path):
    clip = generate("wave", scene=Scene(noise=0.01, dropout=0.1), fps=29.97, num_frames=30)
    clip.keypoints[:, [3, -1]] = np.nan  # frames without anybody, also at the end
    (read,) = motionhub.read(motionhub.write(clip, tmp_path / "clip.trc"))
    np.testing.assert_array_equal(read.keypoints, clip.keypoints)
    assert (read.layout, read.fps, read.unit) == (clip.layout, clip.fps, "metre")


def test_what_trc_cannot_hold_is_refused_with_the_reason(tmp_path):
    def reason(clip) -> str:
        with pytest.raises(ValueError) as caught:
            motionhub.write(clip, tmp_path / "clip.trc")
        assert not (tmp_path / "clip.trc").exists() and "\n" not in str(caught.value)
        return str(caught.value)

    clip = generate("wave", num_frames=5)
    assert "got 2-D keypoints" in reason(clip.replace(keypoints=clip.keypoints[..., :2]))
    assert "lengths, got 'normalised'" in reason(clip.replace(unit="normalised"))
    assert "one person, got 2" in reason(generate("wave", second_person="kick", num_frames=5))
    assert "empty" in reason(clip.replace(keypoints=clip.keypoints[:, :0]))
