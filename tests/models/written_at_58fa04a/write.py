"""Writes the folders beside this README with the library as it was at commit 58fa04a."""

import json
import shutil
import sys
from pathlib import Path

import torch

from motionhub.models import (
    agcn,
    cv_mim,
    lac,
    ltn,
    movement_quality,
    r3d,
    retarget_net,
    st_gcn,
    t_mor,
    u_vi,
    unik,
    vi_clip,
    via,
)


out = Path(sys.argv[1])
U = {
    "num_joints": 3,
    "in_channels": 2,
    "channels": [4, 4],
    "strides": [2, 2],
    "temporal_kernel": 3,
    "num_heads": 2,
    "first_block_heads": 2,
    "key_ratio": 4,
    "layout": "lac-15",
}
A = {
    "num_joints": 15,
    "in_channels": 2,
    "channels": [4, 4],
    "strides": [1, 2],
    "temporal_kernel": 3,
    "layout": "lac-15",
}


def J(joints, dims):
    return (1, 2, 16, joints, dims)


def enc():
    return unik.UnikConfig(**{**U, "channels": [4], "strides": [2]})


cases = {
    "unik": (unik.UnikForActionSegmentation, unik.UnikConfig(**U), {"keypoints": J(3, 2)}),
    "agcn": (agcn.AgcnForActionClassification, agcn.AgcnConfig(**A), {"keypoints": J(15, 2)}),
    "st_gcn": (st_gcn.StGcnForActionClassification, st_gcn.StGcnConfig(**A), {"keypoints": J(15, 2)}),
    "cv_mim": (
        cv_mim.CvMimModel,
        cv_mim.CvMimConfig(width=4, num_blocks=1, pose_size=2, view_size=2, embedder="gaussian", num_people=2),
        {"keypoints": J(13, 2)},
    ),
    "retarget_net": (
        retarget_net.RetargetNet,
        retarget_net.RetargetNetConfig(
            variant="full",
            motion_channels=[2, 2],
            static_channels=[2, 2],
            decoder_channels=[2],
            body_code_size=2,
            view_code_size=2,
        ),
        {"keypoints": J(15, 2)},
    ),
    "lac": (
        lac.LacModel,
        lac.LacConfig(encoder_channels=[2, 4], decoder_channels=[2], num_motion_directions=2, num_static_directions=2),
        {"keypoints": J(15, 2)},
    ),
    "via": (
        via.ViaForMotionRetargeting,
        via.ViaConfig(encoder_config=enc(), num_directions=2, decoder_channels=[2]),
        {"keypoints": J(3, 2)},
    ),
    "via_classifier": (
        via.ViaForActionClassification,
        via.ViaConfig(encoder_config=enc(), num_directions=2, decoder_channels=[2]),
        {"keypoints": J(3, 2)},
    ),
    "t_mor": (
        t_mor.TMorModel,
        t_mor.TMorConfig(encoder_config=enc(), projection_size=3, text_size=2, video_size=2),
        {"keypoints": J(3, 2)},
    ),
    "movement_quality": (
        movement_quality.SkeletonForMovementQuality,
        movement_quality.MovementQualityConfig(encoder_config=enc(), recurrent_size=2, recurrent_layers=1),
        {"keypoints": J(3, 2)},
    ),
    "ltn": (
        ltn.LtnModel,
        ltn.LtnConfig(encoder_config=enc(), num_directions=2, time_channels=2, time_hidden_sizes=[2]),
        {"keypoints": J(3, 2), "start_seconds": (1,)},
    ),
    "r3d": (
        r3d.R3dForActionClassification,
        r3d.R3dConfig(stem_channels=2, depths=[1], widths=[4], temporal_kernels=[1]),
        {"pixel_values": (1, 2, 3, 16, 16)},
    ),
    "u_vi": (
        u_vi.UViForMovementQuality,
        u_vi.UViConfig(
            image_size=16,
            in_channels=1,
            num_points=2,
            channels=[2, 2],
            pose_hidden_sizes=[2, 2],
            view_channels=[2, 2],
            view_hidden_size=2,
            view_kernel=2,
            view_pool=1,
            recurrent_size=2,
            recurrent_layers=1,
        ),
        {"pixel_values": (1, 3, 1, 16, 16)},
    ),
    "vi_clip": (
        vi_clip.ViClipModel,
        vi_clip.ViClipConfig(
            vision_config=vi_clip.ViClipVisionConfig(
                hidden_size=4,
                num_hidden_layers=1,
                num_attention_heads=2,
                image_size=8,
                patch_size=4,
                num_frames=2,
                projection_dim=2,
            ),
            text_config=vi_clip.ViClipTextConfig(
                vocab_size=4,
                hidden_size=4,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=4,
                projection_dim=2,
            ),
        ),
        {"pixel_values": (1, 2, 3, 8, 8)},
    ),
}


def wave(shape, start=0):
    return (torch.arange(float(torch.Size(shape).numel())) + start).sin().reshape(shape)


def value(place, name, tensor):
    """What stands in the place of a weight: a wave, made positive for a variance."""
    if not tensor.is_floating_point():
        return torch.zeros_like(tensor)
    made = wave(tuple(tensor.shape), place)
    return made.abs() + 0.5 if name.endswith("running_var") else made / 2


table = {}
for name, (cls, config, inputs) in cases.items():
    torch.manual_seed(0)
    model = cls(config).eval()
    names = model.state_dict()
    model.load_state_dict({key: value(place, key, tensor) for place, (key, tensor) in enumerate(names.items())})
    folder = Path("/tmp/fx/tmp") / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    if name == "retarget_net":
        shutil.copytree(folder, out / name, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.py"))
    saved = json.loads((folder / "config.json").read_text())

    def clean(c):
        return {
            k: clean(v) if isinstance(v, dict) else v
            for k, v in c.items()
            if k not in ("auto_map", "transformers_version", "dtype", "id2label", "label2id")
        }

    with torch.no_grad():
        made = model(**{key: wave(shape) for key, shape in inputs.items()})
    field = next(
        f
        for f in ("scores", "logits", "keypoints", "compared", "motion_embeds", "pooler_output", "video_embeds")
        if made.get(f) is not None
    )
    table[name] = {
        "config": clean(saved),
        "inputs": inputs,
        "output": field,
        "expected": made[field].flatten()[:6].tolist(),
        "state_dict": [" ".join([k, *map(str, v.shape)]) for k, v in names.items()],
    }
lines = []
for name, row in table.items():
    parts = [f'  "{key}": ' + json.dumps(v) for key, v in row.items() if key != "state_dict"]
    parts.append('  "state_dict": [\n   ' + ",\n   ".join(json.dumps(v) for v in row["state_dict"]) + "\n  ]")
    lines.append(f' "{name}": {{\n' + ",\n".join(parts) + "\n }")
(out / "families.json").write_text("{\n" + ",\n".join(lines) + "\n}\n")
