"""The official ViA encoder's entries with the deterministic fill of the golden files: UNIK without `fc`, and `v`."""

import numpy as np
import torch
from official_unik import official_shapes, probe
from torch import Tensor


def official_entries(directions: int = 64, joints: int = 15) -> dict[str, Tensor]:
    shapes = official_shapes(1, joints, 1, 1, 3, 2)
    shapes = {name: shape for name, shape in shapes.items() if not name.startswith("fc.")}
    filled = probe({**shapes, "v": (256, directions)})  # v counts in the numbering, and has a fill of its own
    rows, columns = np.mgrid[:256, :directions]
    entries = (rows == columns) + 0.1 * np.sin((rows + 1) * (columns + 1) * 1.234)
    return {**filled, "v": torch.from_numpy(entries.astype(np.float32))}
