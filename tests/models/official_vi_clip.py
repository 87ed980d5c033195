"""The official ViCLIP's state dict by names and shapes (SPECS 11)."""


def official_shapes(
    vision: tuple[int, int, int, int] = (768, 12, 16, 512),
    text: tuple[int, int] = (512, 12),
    image_size: int = 224,
    frames: int = 8,
    vocabulary: int = 49408,
    positions: int = 32,
) -> dict[str, tuple[int, ...]]:
    """`vision` is (width, layers, patch, embedding), `text` (width, layers); the defaults are B/16."""
    shapes: dict[str, tuple[int, ...]] = {"temp": ()}

    def affine(name: str, *shape: int) -> None:
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = shape, shape[:1]

    def layers(tower: str, width: int, depth: int) -> None:
        for index in range(depth):
            block = f"{tower}.transformer.resblocks.{index}"
            shapes[f"{block}.attn.in_proj_weight"], shapes[f"{block}.attn.in_proj_bias"] = (
                (3 * width, width),
                (3 * width,),
            )
            affine(f"{block}.attn.out_proj", width, width)
            affine(f"{block}.ln_1", width)
            affine(f"{block}.ln_2", width)
            affine(f"{block}.mlp.c_fc", 4 * width, width)
            affine(f"{block}.mlp.c_proj", width, 4 * width)

    width, depth, patch, embedding = vision
    shapes["vision_encoder.conv1.weight"] = (width, 3, 1, patch, patch)
    shapes["vision_encoder.class_embedding"] = (width,)
    shapes["vision_encoder.positional_embedding"] = ((image_size // patch) ** 2 + 1, width)
    shapes["vision_encoder.temporal_positional_embedding"] = (1, frames, width)
    shapes["vision_encoder.proj"] = (width, embedding)
    affine("vision_encoder.ln_pre", width)
    affine("vision_encoder.ln_post", width)
    layers("vision_encoder", width, depth)
    width, depth = text
    shapes["text_encoder.token_embedding.weight"] = (vocabulary, width)
    shapes["text_encoder.positional_embedding"] = (positions, width)
    shapes["text_encoder.text_projection"] = (width, embedding)
    affine("text_encoder.ln_final", width)
    layers("text_encoder", width, depth)
    return shapes
