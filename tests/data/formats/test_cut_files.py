"""A file whose end is missing is never read as a shorter clip, where the format shows its end."""

import numpy as np
import pytest
from format_samples import SAMPLES
from helpers import read_error


ENDED = ("coco", "mediapipe", "lcrnet", "pyskl", "bvh")
ALL = [(name, number) for name in ENDED for number in range(len(SAMPLES[name]))]


@pytest.mark.parametrize(("name", "number"), ALL)
def test_every_cut_of_a_file_that_shows_its_end_is_an_error(name, number, tmp_path):
    sample = SAMPLES[name][number]
    (content,) = sample.files.values()
    path = tmp_path / sample.target
    # A cut within the last number of a text leaves a number, so stop before it.
    for length in np.unique(np.linspace(1, len(content.rstrip()) - 20, 30, dtype=int)):
        path.write_bytes(content[:length])
        read_error(path, **sample.options)
