"""What a training clip of images goes through: one crop, one change of colours, one blur for all of its frames.

Clips are `(frames, 3, height, width)` float RGB in 0..1; every draw
comes from a `torch.Generator`. The rules and their order are those of PySlowFast's self-supervised recipes.
"""

import math

import torch
from torch import Generator, Tensor
from torch.nn import functional as F


GRAY = (0.2989, 0.587, 0.114)  # ITU-R 601


def resized(clip: Tensor, height: int, width: int) -> Tensor:
    """Bilinear without smoothing first, as OpenCV and PySlowFast do it."""
    if clip.shape[-2:] == (height, width):
        return clip
    return F.interpolate(clip, size=(height, width), mode="bilinear", align_corners=False)


def random_resized_crop(
    clip: Tensor, size: int, area: tuple[float, float], ratio: tuple[float, float], generator: Generator | None = None
) -> Tensor:
    """A part of the images, of `area` of theirs and with width over height in `ratio`, made `size` square.

    Where ten draws do not fit into the image, the largest square in its middle.
    """
    height, width = clip.shape[-2:]
    for _ in range(10):
        wanted = _uniform(*area, generator) * height * width
        shape = math.exp(_uniform(math.log(ratio[0]), math.log(ratio[1]), generator))
        wide, high = round(math.sqrt(wanted * shape)), round(math.sqrt(wanted / shape))
        if 0 < wide <= width and 0 < high <= height:
            top, left = _whole(height - high, generator), _whole(width - wide, generator)
            return resized(clip[..., top : top + high, left : left + wide], size, size)
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return resized(clip[..., top : top + side, left : left + side], size, size)


def jittered(clip: Tensor, strengths: tuple[float, float, float, float], generator: Generator | None = None) -> Tensor:
    """Brightness, contrast and saturation times 1 plus or minus their strength, hue turned by its, in random order."""
    brightness, contrast, saturation, hue = strengths
    factors = [
        _uniform(max(0.0, 1 - strength), 1 + strength, generator) for strength in (brightness, contrast, saturation)
    ]
    turn = _uniform(-hue, hue, generator)
    for step in torch.randperm(4, generator=generator).tolist():
        if step == 0:
            clip = (clip * factors[0]).clamp(0, 1)
        elif step == 1:
            clip = torch.lerp(gray(clip).mean(), clip, factors[1]).clamp(0, 1)
        elif step == 2:
            clip = torch.lerp(gray(clip), clip, factors[2]).clamp(0, 1)
        elif turn:
            clip = turned_hue(clip, turn)
    return clip


def gray(clip: Tensor) -> Tensor:
    """Brightness as three equal channels."""
    weights = clip.new_tensor(GRAY).view(3, 1, 1)
    return (clip * weights).sum(-3, keepdim=True).expand_as(clip)


def turned_hue(clip: Tensor, turn: float) -> Tensor:
    """The hue of every pixel moved by `turn` of the colour circle; brightest and darkest channel stay as they were."""
    red, green, blue = clip.unbind(-3)
    highest, lowest = clip.amax(-3), clip.amin(-3)
    spread = highest - lowest
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    hue = torch.where(
        highest == red,
        (green - blue) / safe % 6,
        torch.where(highest == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    hue = hue + 6 * turn
    # Each channel as a function of the hue: a plateau, two slopes and a valley, shifted by a third of the circle.
    channels = [highest - spread * _valley((offset + hue) % 6) for offset in (5, 3, 1)]
    return torch.stack(channels, dim=-3)


def _valley(position: Tensor) -> Tensor:
    """0 at the plateau, 1 in the valley of the hexagon of colours."""
    return torch.minimum(position, 4 - position).clamp(0, 1)


def blurred(clip: Tensor, sigma: float) -> Tensor:
    """A Gaussian of `sigma` pixels, borders repeated."""
    radius = max(1, math.ceil(3 * sigma))
    place = torch.arange(-radius, radius + 1, dtype=clip.dtype)
    kernel = torch.exp(-0.5 * (place / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(clip.shape[-3], 1, -1)
    padded = F.pad(clip, (radius, radius, radius, radius), mode="replicate")
    across = F.conv2d(padded, kernel[:, :, None, :], groups=clip.shape[-3])
    return F.conv2d(across, kernel[:, :, :, None], groups=clip.shape[-3])


def chance(probability: float, generator: Generator | None = None) -> bool:
    """True in `probability` of the calls."""
    return probability > 0 and float(torch.rand((), generator=generator)) < probability


def _uniform(low: float, high: float, generator: Generator | None) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _whole(largest: int, generator: Generator | None) -> int:
    return int(torch.randint(largest + 1, (), generator=generator))
