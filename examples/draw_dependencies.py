"""Draw which joints a UNIK encoder lets depend on which, block by block, for one clip (thesis figure 3.9).

    python examples/draw_dependencies.py --model hub_configs/unik-nucla-small --output_dir pictures
    python examples/draw_dependencies.py --model hub_configs/unik-nucla-small --input clip.json --output_dir pictures

A column's joint takes from a row's joint: red adds, blue subtracts. Beside the heat maps of every block it prints the
strongest dependencies of the last block in words.
"""

import argparse
import sys
from pathlib import Path

import torch
from transformers import AutoFeatureExtractor, AutoModel
from transformers.utils.logging import disable_progress_bar

import motionhub
from motionhub.data.synthetic.generate import generate
from motionhub.visualization.plots import plot_attention, plot_dependencies


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", required=True, help="folder or Hub id of a UNIK checkpoint")
    parser.add_argument("--input", default=None, help="a skeleton file; a synthetic throw when left out")
    parser.add_argument("--output_dir", type=Path, default=Path("pictures"))
    arguments = parser.parse_args(argv)
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    disable_progress_bar()

    clip = motionhub.read(arguments.input)[0] if arguments.input else generate("throw", seed=2)
    model = AutoModel.from_pretrained(arguments.model).eval()
    processor = AutoFeatureExtractor.from_pretrained(arguments.model)
    layout = motionhub.get_layout(processor.layout)
    with torch.inference_mode():
        output = model(**processor(clip), output_attentions=True)

    for block, maps in enumerate(output.dependencies):
        path = arguments.output_dir / f"dependencies_block_{block + 1:02d}.png"
        plot_dependencies(maps[0, 0], layout, path, title=f"block {block + 1}: dependency matrix plus attention")
    names = list(layout.joints)
    attention = output.attentions[-1][0, 0]
    if attention.shape[-1] == len(names):
        path = arguments.output_dir / "attention_last_block.png"
        plot_attention(attention, path, row_names=names, column_names=names, title="last block: attention")

    strength = output.dependencies[-1][0, 0].mean(0).abs()
    strength.fill_diagonal_(0)
    for position in strength.flatten().argsort(descending=True)[:5].tolist():
        source, target = divmod(position, strength.shape[1])
        print(f"{names[target % len(names)]} takes from {names[source % len(names)]}: {strength[source, target]:.3f}")
    print(f"drawn: {arguments.output_dir}")


if __name__ == "__main__":
    sys.exit(motionhub.handle_cli_errors(lambda: main(sys.argv[1:])))
