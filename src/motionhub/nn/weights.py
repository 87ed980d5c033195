"""The hash of a network's weights."""

import hashlib

import torch


def weights_hash(module: torch.nn.Module) -> str:
    """SHA-256 over names and bytes of all weights and buffers; equal for equal weights only."""
    digest = hashlib.sha256()
    for name, value in sorted(module.state_dict().items()):
        digest.update(name.encode())
        digest.update(value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
