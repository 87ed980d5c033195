"""The official pre-processing of whole data sets, on the official arrays `(clips, dims, frames, joints, people)`.

For parity with files made by UNIK's and 2s-AGCN's scripts; zero means missing in these arrays, as there. It does not
know the library's sequences: it translates zeros to NaN, uses the same rules as the processor, and translates back.
Official behaviour that is kept: indices instead of names, cyclic filling of the empty tail of a person.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from motionhub.augment.temporal import take_frames
from motionhub.processing import normalization
from motionhub.skeletons.layout import SkeletonLayout


def agcn_pre_normalization(data: Tensor) -> Tensor:
    """2s-AGCN's rule for NTU-25: fill the tail, centre on joint 1 per frame, spine onto +z, shoulders onto +x.

    Args:
        data: `(clips, 3, frames, 25, people)`, zero = missing.
    """
    return _pre_normalization(data, 1, (0, 1), (8, 4), "per-frame")


def unik_pre_normalization(data: Tensor) -> Tensor:
    """UNIK's edit of that rule: centre on joint 3 in the first frame, bone 2 -> 4 onto +z, joints 5 - 6 onto +x.

    The numbers belong to Posetics-17; UNIK's NTU script applies them to 25 joints all the same (SPECS 2.3).
    """
    return _pre_normalization(data, 3, (2, 4), (5, 6), "first-frame")


def pre_normalization_2d(data: Tensor) -> Tensor:
    """UNIK's rule for Smarthome and Penn: only `replay` of each person. `(clips, 2, frames, joints, people)`."""
    return _official(torch.stack([replay(clip) for clip in _clips(data)]))


def replay(keypoints: Tensor) -> Tensor:
    """Loop each person's frames over the empty frames at the end of the clip.

    A person who is empty in the first frame is first moved to the front without any empty frames; otherwise empty
    frames inside stay. Someone never seen stays missing.

    Args:
        keypoints: `(people, frames, joints, dims)`, NaN = missing.
    """
    looped = [
        take_frames(person[None], replay_positions(~person[..., 0].isnan().all(dim=1)))[0] for person in keypoints
    ]
    return torch.stack(looped) if looped else keypoints


def replay_positions(seen: Tensor) -> Tensor:
    """Frame that stands at each place after `replay`; `seen` `(frames,)` says in which frames the person is."""
    frames = torch.arange(len(seen))
    if not bool(seen.any()):
        return frames
    kept = frames[: int(seen.nonzero().max()) + 1] if bool(seen[0]) else frames[seen]
    return kept[frames % len(kept)]


def _pre_normalization(
    data: Tensor, joint: int, vertical: tuple[int, int], lateral: tuple[int, int], centring: str
) -> Tensor:
    names = tuple(f"joint_{index}" for index in range(data.shape[3]))
    layout = SkeletonLayout("official", names, bones=(), root=names[joint])

    def named(indices: Sequence[int]) -> list[str]:
        return [names[index] for index in indices]

    clips = [replay(clip) for clip in _clips(data)]
    return _official(
        torch.stack(
            [
                normalization.align(clip, layout, names[joint], named(vertical), named(lateral), centring).apply(clip)
                for clip in clips
            ]
        )
    )


def _clips(data: Tensor) -> Tensor:
    """`(clips, dims, frames, joints, people)` with zeros -> `(clips, people, frames, joints, dims)` with NaN."""
    keypoints = data.permute(0, 4, 2, 3, 1)
    return keypoints.masked_fill((keypoints.sum(-1) == 0)[..., None], float("nan"))


def _official(keypoints: Tensor) -> Tensor:
    return keypoints.nan_to_num(nan=0.0).permute(0, 4, 2, 3, 1)
