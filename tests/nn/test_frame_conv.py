"""Convolutions over frames: what a stride means, and that no shape of them damages the process."""

import os
import subprocess
import sys

import pytest
import torch
import torch.nn.functional as F

from motionhub.nn.temporal import FrameConv2d


@pytest.mark.parametrize("kernel_size", [1, 9])
@pytest.mark.parametrize("frames", [7, 8])
def test_a_stride_keeps_every_so_manyth_frame_of_the_convolution_without_it(kernel_size, frames):
    torch.manual_seed(0)
    conv = FrameConv2d(3, 5, kernel_size, stride=2, dilation=1)
    features = torch.randn(2, 3, 4, frames)
    whole = F.conv2d(features, conv.weight, conv.bias, padding=(0, kernel_size // 2))
    torch.testing.assert_close(conv(features), whole[..., ::2], rtol=1e-5, atol=1e-6)


TRAIN = """
import torch
from motionhub.models.unik import UnikConfig, UnikModel
model = UnikModel(UnikConfig(num_joints=20, channels=[8, 8], strides=[1, 2]))
for _ in range(20):
    output = model(torch.randn(5, 1, 16, 20, model.config.in_channels)).pooler_output
    output.square().mean().backward()
    waste = [torch.randn(length) for length in range(1, 400, 7)]  # a damaged heap shows when memory is asked for
"""


def test_training_with_few_channels_and_several_threads_does_not_damage_memory():
    """PyTorch 2.13 did with strided convolutions one frame wide, on AVX-512 with two threads or more."""
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "MALLOC_CHECK_": "3"}
    done = subprocess.run([sys.executable, "-c", TRAIN], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-500:]
