"""Better class vectors from text alone, without training: paraphrases, templates, body parts and neighbours.

It does not know towers, banks or motions: vectors come in, unit vectors go out. The ideas are those of CLIP's prompt
ensembles (Radford et al. 2021), of part-wise descriptions (PURLS, STAR) and of neighbour-averaged anchors (Flora);
each function is a few lines of arithmetic that a test computes by hand.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from motionhub.towers.text_towers import checked_texts


# One vector of a label is the bare name's; the others put it into the sentences that texts of motions are made of.
TEMPLATES = ("{}", "a person performing the action {}", "someone doing this: {}", "a video of a person, {}")
# Vectors this alike are the same text; a neighbour must be another one.
SAME_TEXT = 1 - 1e-5


def fill_templates(labels: Sequence[str], templates: Sequence[str] | str = TEMPLATES) -> list[list[str]]:
    """Every label in every template: one list of texts a label, in the order of the templates.

    Raises:
        ValueError: there is no template, or one lacks its "{}".
    """
    sentences = [templates] if isinstance(templates, str) else list(templates)
    if not sentences or any(sentence.count("{}") != 1 for sentence in sentences):
        raise ValueError(f"Expected templates with one {{}} for the label, got {sentences}.")
    return [[sentence.replace("{}", label) for sentence in sentences] for label in checked_texts(labels)]


def ensemble(vectors: Tensor, groups: Sequence[int] | Tensor, weights: Tensor | None = None) -> Tensor:
    """One unit vector a group: the direction of the (weighted) mean of its members' unit vectors.

    Args:
        vectors: (num_texts, dim), of any length but zero.
        groups: (num_texts,), the group of each text, 0 .. num_groups - 1; each group has a member.
        weights: (num_texts,) not negative; all alike when None.

    Returns:
        (num_groups, dim).

    Raises:
        ValueError: a group has no member, the lengths disagree, or a weight is negative.
    """
    places = torch.as_tensor(groups, dtype=torch.long, device=vectors.device)
    shares = torch.ones(len(vectors)).to(vectors) if weights is None else weights.to(vectors)
    if vectors.ndim != 2 or places.shape != vectors.shape[:1] or shares.shape != vectors.shape[:1]:
        got = f"{tuple(vectors.shape)}, {tuple(places.shape)} and {tuple(shares.shape)}"
        raise ValueError(f"Expected vectors (num_texts, dim) with a group and a weight each, got {got}.")
    count = int(places.max()) + 1 if len(places) else 0
    present = torch.bincount(places[shares > 0], minlength=count) if count else places
    if bool((shares < 0).any()) or bool((present == 0).any()):
        raise ValueError(
            f"Expected weights >= 0 and a weighted text in each of {count} groups, got {present.tolist()}."
        )
    sums = torch.zeros(count, vectors.shape[1]).to(vectors)
    sums.index_add_(0, places, normalize(vectors, dim=-1) * shares[:, None])
    return normalize(sums, dim=-1)


def with_body_parts(anchors: Tensor, parts: Tensor, described: Tensor, share: float = 0.5) -> Tensor:
    """Class vectors drawn towards the descriptions of what each body part does.

    Args:
        anchors: (num_labels, dim) of the labels themselves.
        parts: (num_labels, num_parts, dim), a text a part ("the left arm rises sideways").
        described: (num_labels, num_parts) bool, which of the parts have a text; a label without any keeps its anchor.
        share: of the parts in the mix, 0 .. 1.

    Returns:
        (num_labels, dim) unit vectors: the direction of (1 - share) anchor + share mean(described parts).
    """
    _check_share("share", share)
    kept = described[..., None].to(anchors.dtype)
    mean = (normalize(parts, dim=-1) * kept).sum(dim=1) / kept.sum(dim=1).clamp(min=1)
    own = normalize(anchors, dim=-1)
    mixed = normalize((1 - share) * own + share * normalize(mean, dim=-1), dim=-1)
    return torch.where(described.any(dim=1, keepdim=True), mixed, own)


def neighbour_averaged(anchors: Tensor, vocabulary: Tensor, neighbours: int = 5, share: float = 0.3) -> Tensor:
    """Class vectors drawn towards the mean of their nearest phrases in a vocabulary, which smooths odd wordings.

    Args:
        anchors: (num_labels, dim).
        vocabulary: (num_phrases, dim), such as a bank's; phrases that are the anchor itself do not count.
        neighbours: how many, at most as many as there are.
        share: of the neighbours in the mix, 0 .. 1.

    Returns:
        (num_labels, dim) unit vectors: the direction of (1 - share) anchor + share mean(neighbours).
    """
    _check_share("share", share)
    if neighbours < 0:
        raise ValueError(f"Expected neighbours of at least 0, got {neighbours}.")
    own, known = normalize(anchors, dim=-1), normalize(vocabulary.to(anchors), dim=-1)
    cosines = own @ known.T
    cosines = cosines.masked_fill(cosines > SAME_TEXT, float("-inf"))
    values, places = cosines.topk(min(neighbours, len(known)), dim=-1)
    real = values.isfinite()[..., None].to(own.dtype)
    mean = (known[places] * real).sum(dim=1) / real.sum(dim=1).clamp(min=1)
    mixed = normalize((1 - share) * own + share * normalize(mean, dim=-1), dim=-1)
    return torch.where(real.any(dim=1), mixed, own)


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"Expected {name} between 0 and 1, got {value}.")
