"""Class vectors from text without training: ensembles of paraphrases and templates, body parts, neighbours.

After CLIP's prompt ensembles (Radford et al. 2021), part-wise descriptions (PURLS, STAR) and Flora's anchors.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize


SAME_TEXT = 1 - 1e-5  # cosine from which two vectors are one text, and so no neighbours


def ensemble(vectors: Tensor, groups: Sequence[int] | Tensor) -> Tensor:
    """`(num_groups, dim)` unit vectors: the normalised mean of each group's unit vectors.

    Args:
        vectors: (num_texts, dim), not zero.
        groups: (num_texts,) in 0 .. num_groups - 1; each group has a member.

    Raises:
        ValueError: a group has no member, or the lengths disagree.
    """
    places = torch.as_tensor(groups, dtype=torch.long, device=vectors.device)
    if vectors.ndim != 2 or places.shape != vectors.shape[:1]:
        got = f"{tuple(vectors.shape)} and {tuple(places.shape)}"
        raise ValueError(f"Expected vectors (num_texts, dim) with a group each, got {got}.")
    members = torch.bincount(places)
    if bool((members == 0).any()):
        raise ValueError(f"Expected a text in each of {len(members)} groups, got {members.tolist()}.")
    sums = torch.zeros(len(members), vectors.shape[1]).to(vectors)
    return normalize(sums.index_add_(0, places, normalize(vectors, dim=-1)), dim=-1)


def with_body_parts(anchors: Tensor, parts: Tensor, described: Tensor, share: float = 0.5) -> Tensor:
    """Class vectors mixed with descriptions of body parts.

    Args:
        anchors: (num_labels, dim) of the labels.
        parts: (num_labels, num_parts, dim), one text per part ("the left arm rises sideways").
        described: (num_labels, num_parts) bool, parts with a text; a label without any keeps its anchor.
        share: of the parts in the mix, 0 .. 1.

    Returns:
        (num_labels, dim) unit vectors, normalised (1 - share) anchor + share mean(described parts).
    """
    return _mixed(anchors, normalize(parts, dim=-1), described, share)


def neighbour_averaged(anchors: Tensor, vocabulary: Tensor, neighbours: int = 5, share: float = 0.3) -> Tensor:
    """Class vectors mixed with the mean of their nearest phrases in a vocabulary, which smooths odd wordings.

    Args:
        anchors: (num_labels, dim).
        vocabulary: (num_phrases, dim), such as a bank's; phrases equal to the anchor do not count.
        neighbours: their number, at most the vocabulary's.
        share: of the neighbours in the mix, 0 .. 1.

    Returns:
        (num_labels, dim) unit vectors, normalised (1 - share) anchor + share mean(neighbours).
    """
    if neighbours < 0:
        raise ValueError(f"Expected neighbours of at least 0, got {neighbours}.")
    known = normalize(vocabulary.to(anchors), dim=-1)
    cosines = normalize(anchors, dim=-1) @ known.T
    cosines = cosines.masked_fill(cosines > SAME_TEXT, float("-inf"))
    values, places = cosines.topk(min(neighbours, len(known)), dim=-1)
    return _mixed(anchors, known[places], values.isfinite(), share)


def _mixed(anchors: Tensor, others: Tensor, present: Tensor, share: float) -> Tensor:
    """Anchors mixed with the mean of the present `others (num_labels, n, dim)`, if any."""
    if not 0 <= share <= 1:
        raise ValueError(f"Expected share between 0 and 1, got {share}.")
    own, real = normalize(anchors, dim=-1), present[..., None].to(anchors.dtype)
    mean = (others * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
    mixed = normalize((1 - share) * own + share * normalize(mean, dim=-1), dim=-1)
    return torch.where(present.any(dim=1, keepdim=True), mixed, own)
