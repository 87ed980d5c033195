"""HCN, a baseline of the claim on posture."""

import pytest
import torch


def test_hcn_takes_whole_windows_and_trains(load_claim):
    hcn = load_claim("hcn").Hcn
    network = hcn(13, 2, 32, 5)
    network(torch.randn(2, 32, 13, 2)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())
    with pytest.raises(ValueError, match="multiple of 16"):
        hcn(13, 2, 30, 5)
