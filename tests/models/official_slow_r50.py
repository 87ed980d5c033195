"""The state dict of PySlowFast's Slow-R50 by names and shapes (SPECS 10.1)."""

STAGES = (
    (2, 3, 64, 1),
    (3, 4, 128, 1),
    (4, 6, 256, 3),
    (5, 3, 512, 3),
)  # stage, blocks, inner channels, kernel in time


def official_shapes(
    projection: tuple[int, ...] | None = (2048, 2048, 128), scale: int = 1
) -> dict[str, tuple[int, ...]]:
    """`projection`: sizes of the MLP of the contrastive configs, one number for a classifier, None for no head.

    `scale` divides all channels, for small files.
    """
    shapes: dict[str, tuple[int, ...]] = {}

    def norm(name: str, size: int) -> None:
        shapes.update({f"{name}.{leaf}": (size,) for leaf in ("weight", "bias", "running_mean", "running_var")})
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["s1.pathway0_stem.conv.weight"] = (64 // scale, 3, 1, 7, 7)
    norm("s1.pathway0_stem.bn", 64 // scale)
    before = 64 // scale
    for stage, blocks, channels, kernel in STAGES:
        inner, outer = channels // scale, 4 * channels // scale
        for block in range(blocks):
            name = f"s{stage}.pathway0_res{block}"
            if not block:
                shapes[f"{name}.branch1.weight"] = (outer, before, 1, 1, 1)
                norm(f"{name}.branch1_bn", outer)
            shapes[f"{name}.branch2.a.weight"] = (inner, before, kernel, 1, 1)
            shapes[f"{name}.branch2.b.weight"] = (inner, inner, 1, 3, 3)
            shapes[f"{name}.branch2.c.weight"] = (outer, inner, 1, 1, 1)
            for part, size in (("a", inner), ("b", inner), ("c", outer)):
                norm(f"{name}.branch2.{part}_bn", size)
            before = outer
    if projection is not None and len(projection) == 1:
        shapes["head.projection.weight"], shapes["head.projection.bias"] = (projection[0], before), projection
    elif projection is not None:
        for place, size in enumerate(projection):
            name = f"head.projection.projection.{2 * place}"
            shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (size, before), (size,)
            before = size
    return shapes
