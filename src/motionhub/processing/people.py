"""Which people of a clip matter most: those who move most (SPECS 2.3).

It does not know how many a model takes. NaN means missing.
"""

from torch import Tensor


def by_energy(keypoints: Tensor) -> list[int]:
    """Positions of the people `(people, frames, joints, dims)`, most energy first; of equals the later (official)."""
    energies = motion_energy(keypoints)
    return sorted(range(len(energies)), key=lambda person: (energies[person], person), reverse=True)


def motion_energy(keypoints: Tensor) -> list[float]:
    """How much each person `(people, frames, joints, dims)` moves and extends, in units of the keypoints (SPECS 2.3).

    The standard deviation of each coordinate over all seen joints and frames, added up; six significant digits, so
    that rounding does not break ties. Someone never seen has -1.
    """
    flat = keypoints.double().flatten(1, 2)
    spread = (flat - flat.nanmean(1, keepdim=True)).square().nanmean(1).sqrt().sum(1)
    return [-1.0 if value != value else float(f"{value:.6g}") for value in spread.tolist()]
