"""`motionhub index` and `motionhub search`: the part of the command line that finds similar poses and motions.

It computes nothing itself (`motionhub.retrieval`). Every import that costs time is inside the command that needs it.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from motionhub.hub.packaged import A_MODEL, model_id


ReadOptions = Callable[[argparse.Namespace], dict[str, Any]]


def add_commands(
    commands: Any, add_read_options: Callable[[argparse.ArgumentParser], None], read_options: ReadOptions
) -> None:
    """Adds both commands to the subparsers of `motionhub`; the options for reading files are the caller's."""
    index = commands.add_parser("index", help="vectors of all motions of a folder, for motionhub search")
    index.add_argument("folder", metavar="FOLDER", help="skeleton files, also in subfolders")
    index.add_argument("-o", "--output", required=True, metavar="INDEX", help="folder of the index")
    index.add_argument("--model", type=model_id, required=True, help=f"{A_MODEL} of an encoder")
    index.add_argument("--level", choices=("frame", "clip"), default="clip", help="search for poses, or for clips")
    which = "pose, view: of an encoder of both, by which; text: of clips by T-MOR, for motionhub search --text"
    index.add_argument("--representation", choices=("pose", "view", "text"), default=None, help=which)
    index.add_argument("--every", type=int, default=5, help="of frames, index every so many (default 5)")
    add_read_options(index)
    index.set_defaults(run=lambda arguments: _index(arguments, read_options(arguments)))

    search = commands.add_parser("search", help="the poses or clips of an index that are most like one")
    search.add_argument("index", metavar="INDEX", help="what motionhub index wrote")
    search.add_argument("query", metavar="QUERY", help='a skeleton file; with --text words, "someone sits down"')
    search.add_argument("--text", action="store_true", help="QUERY is words, for an index of --representation text")
    search.add_argument(
        "--frame", type=int, default=None, help="of an index of frames: which one (default: the middle)"
    )
    search.add_argument("--person", type=int, default=0, help="which person of the query, from 0")
    search.add_argument("--top_k", type=int, default=5, help="results (default 5)")
    search.add_argument("--model", type=model_id, help="the encoder, if it is elsewhere now")
    search.add_argument("--json", metavar="OUT", help="also write the results as JSON")
    search.add_argument("--picture", metavar="OUT", help="also draw them: .png (poses) or .gif (moving clips)")
    add_read_options(search)
    search.set_defaults(run=lambda arguments: _search(arguments, read_options(arguments)))


def _pipeline(model: str) -> Any:
    from transformers import AutoModel, pipeline
    from transformers.utils.logging import disable_progress_bar

    import motionhub.auto  # noqa: F401  (the command line does not register the models by itself)
    from motionhub.training.sources import load_checkpoint

    disable_progress_bar()
    encoder, processor = load_checkpoint(model, AutoModel)
    return pipeline("skeleton-feature-extraction", model=encoder, feature_extractor=processor)


def _index(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from motionhub.retrieval.build import build_index
    from motionhub.retrieval.by_text import REPRESENTATION

    if arguments.representation == REPRESENTATION and arguments.level != "clip":
        raise ValueError("Texts say what clips show, not frames: leave --level frame out.")
    local = Path(arguments.model)
    facts = {"model": str(local.resolve()) if local.exists() else arguments.model}
    facts["representation"] = arguments.representation
    embed = _embedder(arguments.model, arguments.level, arguments.representation)
    every = arguments.every if arguments.level == "frame" else 1
    index = build_index(arguments.folder, embed, level=arguments.level, facts=facts, every=every, read_options=options)
    index.save(arguments.output)
    files = len({entry.file for entry in index.entries})
    print(
        f"{arguments.output}: {len(index)} {arguments.level}s of {files} files, {index.vectors.shape[1]} numbers each"
    )
    return 0


def _embedder(model: str, level: str, representation: str | None) -> Any:
    from motionhub.retrieval.build import checkpoint_embedder
    from motionhub.retrieval.by_text import REPRESENTATION, text_space_embedder

    pipe = _pipeline(model)
    return (
        text_space_embedder(pipe)
        if representation == REPRESENTATION
        else checkpoint_embedder(pipe, level, representation)
    )


def _text_vector(arguments: argparse.Namespace, index: Any) -> Any:
    """The query that `--text` is, by the index's model and its text bank or tower."""
    from motionhub.retrieval.by_text import check_text_index, text_query
    from motionhub.towers.text_bank import TextBank, text_vectors

    check_text_index(index.facts)
    source = arguments.model or index.facts["model"]
    model = _pipeline(source).model
    vectors = text_vectors([arguments.query], TextBank.from_pretrained(source), model.config.text_tower)
    return text_query(model, vectors[0])


def _search(arguments: argparse.Namespace, options: dict[str, Any]) -> int:
    from motionhub.pipelines.skeleton_pipeline import as_sequence
    from motionhub.retrieval.build import query_vector
    from motionhub.retrieval.index import MotionIndex

    index = MotionIndex.load(arguments.index)
    root, itself, query = Path(index.facts["root"]), list[str](), None
    if arguments.text:
        vector = _text_vector(arguments, index)
    else:
        query, own = as_sequence(arguments.query, **options), Path(arguments.query).resolve()
        embed = _embedder(arguments.model or index.facts["model"], index.level, index.facts.get("representation"))
        vector = query_vector(query, embed, index.level, person=arguments.person, frame=arguments.frame)
        itself = [str(own.relative_to(root))] if own.is_relative_to(root) else []
    (hits,) = index.search(vector, arguments.top_k, without_files=itself)
    for hit in hits:
        print(f"{hit.similarity:6.3f}  {place(hit.entry)}")
    if arguments.json:
        found = [{**vars(hit.entry), "similarity": hit.similarity} for hit in hits]
        Path(arguments.json).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.json).write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    if arguments.picture:
        _draw(arguments, query, hits, root, options)
        print(f"drawn: {arguments.picture}")
    return 0


def place(entry: Any) -> str:
    """An entry in words."""
    words = [entry.file]
    words += [f"clip {entry.clip}"] if entry.clip else []
    words += [f"person {entry.person}"] if entry.person else []
    words += [f"frame {entry.frame}"] if entry.frame is not None else []
    return ", ".join(words)


def _draw(arguments: argparse.Namespace, query: Any, hits: list[Any], root: Path, options: dict[str, Any]) -> None:
    from motionhub.data.datasets.reading import read
    from motionhub.visualization.neighbours import animate_neighbours, draw_neighbours

    found = [(read(root / hit.entry.file, **options)[hit.entry.clip], hit) for hit in hits]
    out = Path(arguments.picture)
    if out.suffix.lower() == ".gif":
        clips = [
            (sequence.person(hit.entry.person or 0), f"{hit.similarity:.2f} {hit.entry.file}")
            for sequence, hit in found
        ]
        asked = [] if query is None else [(query.person(arguments.person), "query")]
        animate_neighbours([*asked, *clips], out)
    elif out.suffix.lower() == ".png":
        poses = [
            (
                sequence,
                hit.entry.person or 0,
                _shown(sequence, hit.entry.frame),
                f"{hit.similarity:.2f} {hit.entry.file}",
            )
            for sequence, hit in found
        ]
        asked_pose = [] if query is None else [(query, arguments.person, _shown(query, arguments.frame), "query")]
        draw_neighbours([[*asked_pose, *poses]], out)
    else:
        raise ValueError(f"--picture must end in .png or .gif, got {out.name!r}.")


def _shown(sequence: Any, frame: int | None) -> int:
    return int(sequence.num_frames // 2 if frame is None else frame)
