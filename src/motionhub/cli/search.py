"""`motionhub index` and `motionhub search`: similar poses and motions."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from motionhub.cli.models import load_pipeline
from motionhub.cli.options import Json, TopK, model_option, with_metadata
from motionhub.cli.recordings import check_files, check_suffix
from motionhub.cli.report import counted, save_json


_NAMED = 60  # points of a map
_REPRESENTATION = "pose, view: of an encoder of both, by which; text: of clips by T-MOR, for motionhub search --text"


@with_metadata
def index(
    folder: Annotated[str, Argument(help="Skeleton files, also in subfolders")],
    *,
    output: Annotated[str, Option("-o", "--output", metavar="INDEX", help="Folder of the index")],
    model: Annotated[str, model_option("an encoder")],
    level: Annotated[
        Literal["frame", "clip", "moment"],
        Option(help="Search for poses, clips, or moments of recordings"),
    ] = "clip",
    representation: Annotated[Literal["pose", "view", "text"] | None, Option(help=_REPRESENTATION)] = None,
    every: Annotated[int, Option(help="Of frames, index every n-th")] = 5,
    window: Annotated[float, Option(metavar="SECONDS", help="Of moments, the length")] = 2.0,
    hop: Annotated[float, Option(metavar="SECONDS", help="Of moments, the time from one to the next")] = 1.0,
    metadata: dict[str, Any],
) -> None:
    """Vectors of all motions of a folder, for motionhub search."""
    check_files([folder])
    from motionhub.retrieval.build import build_index
    from motionhub.retrieval.by_text import REPRESENTATION

    if representation == REPRESENTATION and level == "frame":
        raise ValueError("Texts describe clips, not frames: omit --level frame.")
    source = str(Path(model).resolve()) if Path(model).exists() else model
    made = build_index(
        folder,
        _embedder(model, level, representation),
        level=level,
        facts={"model": source, "representation": representation},
        every=every if level == "frame" else 1,
        window=window,
        hop=hop,
        read_options=metadata,
    )
    made.save(output)
    files = len({entry.file for entry in made.entries})
    held = f"{counted(len(made), f'{level}s')} of {counted(files, 'files')}"
    print(f"{output}: {held}, {made.vectors.shape[1]} numbers each")


@with_metadata
def search(
    index: Annotated[str, Argument(help="Folder that motionhub index wrote")],
    query: Annotated[str, Argument(help='A skeleton file; with --text a text, "someone sits down"')],
    *,
    text: Annotated[bool, Option(help="QUERY is a text, for an index of --representation text")] = False,
    frame: Annotated[
        int | None, Option(help="Frame of the query, for an index of frames; by default the middle")
    ] = None,
    person: Annotated[int, Option(help="Person of the query, from 0")] = 0,
    top_k: TopK = 5,
    model: Annotated[str | None, model_option("the encoder, if it is elsewhere now")] = None,
    json: Json = None,
    picture: Annotated[str | None, Option(help="Also draw them: .png (poses) or .gif (moving clips)")] = None,
    metadata: dict[str, Any],
) -> None:
    """The poses or clips of an index that are most similar to a query."""
    check_files([index] if text else [index, query])
    from motionhub.pipelines.skeleton_pipeline import as_sequence
    from motionhub.retrieval.build import query_vector
    from motionhub.retrieval.index import MotionIndex

    vectors = MotionIndex.load(index)
    root, itself, asked = Path(vectors.facts["root"]), list[str](), None
    source = model or vectors.facts["model"]
    if text:
        vector = _text_vector(query, source, vectors.facts)
    else:
        asked, own = as_sequence(query, **metadata), Path(query).resolve()
        embed = _embedder(source, vectors.level, vectors.facts.get("representation"))
        vector = query_vector(asked, embed, vectors.level, person=person, frame=frame)
        itself = [str(own.relative_to(root))] if own.is_relative_to(root) else []
    (hits,) = vectors.search(vector, top_k, without_files=itself)
    for hit in hits:
        print(f"{hit.similarity:6.3f}  {place(hit.entry)}")
    if json:
        save_json([{**vars(hit.entry), "similarity": hit.similarity} for hit in hits], json)
    if picture:
        _draw(Path(picture), None if asked is None else (asked, person, frame), hits, root, metadata)
        print(f"drawn: {picture}")


def _embedder(model: str, level: str, representation: str | None) -> Any:
    from motionhub.retrieval.build import checkpoint_embedder
    from motionhub.retrieval.by_text import REPRESENTATION, text_space_embedder

    pipe = load_pipeline("skeleton-feature-extraction", model)
    if representation == REPRESENTATION:
        return text_space_embedder(pipe)
    return checkpoint_embedder(pipe, level, representation)


def _text_vector(text: str, source: str, facts: dict[str, Any]) -> Any:
    """The vector of a text, by the index's model and its text bank or tower."""
    from motionhub.retrieval.by_text import check_text_index, text_query
    from motionhub.towers.text_bank import TextBank, text_vectors

    check_text_index(facts)
    model = load_pipeline("skeleton-feature-extraction", source).model
    vectors = text_vectors([text], TextBank.from_pretrained(source), model.config.text_tower)
    return text_query(model, vectors[0])


def place(entry: Any) -> str:
    """The file of an entry, and which clip, person and frame of it."""
    parts = [entry.file]
    parts += [f"clip {entry.clip}"] if entry.clip else []
    parts += [f"person {entry.person}"] if entry.person else []
    parts += [f"frame {entry.frame}"] if entry.frame is not None else []
    parts += [f"{entry.start_s:.2f}-{entry.end_s:.2f} s"] if entry.start_s is not None else []
    return ", ".join(parts)


def _draw(
    out: Path, asked: tuple[Any, int, int | None] | None, hits: list[Any], root: Path, metadata: dict[str, Any]
) -> None:
    """Draws the query, if it is a motion, and the hits side by side (.png), or moving (.gif)."""
    from motionhub.data.datasets.reading import read
    from motionhub.skeletons.convert import cut
    from motionhub.visualization.animate import animate_side_by_side
    from motionhub.visualization.draw import draw_neighbours

    shown = [] if asked is None else [(*asked, "query")]
    for hit in hits:
        sequence = read(root / hit.entry.file, **metadata)[hit.entry.clip]
        if hit.entry.start_s is not None:
            sequence = cut(sequence, hit.entry.start_s, hit.entry.end_s)
        title = f"{hit.similarity:.2f} {hit.entry.file}"
        shown.append((sequence, hit.entry.person or 0, hit.entry.frame, title))
    if out.suffix.lower() == ".gif":
        people = [sequence.person(person) for sequence, person, _, _ in shown]
        animate_side_by_side(people, out, titles=[title for *_, title in shown])
    elif out.suffix.lower() == ".png":
        middle = [sequence.num_frames // 2 if frame is None else frame for sequence, _, frame, _ in shown]
        poses = [(clip, person, frame, title) for (clip, person, _, title), frame in zip(shown, middle, strict=True)]
        draw_neighbours([poses], out)
    else:
        raise ValueError(f"--picture must end in .png or .gif, got {out.name!r}.")


def map_(
    index: Annotated[str, Argument(help="Folder that motionhub index wrote")],
    *,
    output: Annotated[Path, Option("-o", "--output", help="The PNG to write")],
    method: Annotated[Literal["pca", "umap"], Option(help="umap needs the package umap-learn")] = "pca",
) -> None:
    """Draw all entries of an index as points: near each other where motions are alike, coloured by their folder."""
    from motionhub.retrieval.index import MotionIndex, positions
    from motionhub.visualization.plots import plot_map

    check_suffix(output, "--output", ".png")
    vectors = MotionIndex.load(index)
    places, explained = positions(vectors.vectors, method)
    title = f"{len(vectors)} {vectors.level}s, {method.upper()}"
    title += f", {explained:.0%} of the variance" if explained is not None else ""
    labels = [entry.label for entry in vectors.entries]
    # Without folders the points have no colours; a few can have their names.
    names = [Path(entry.file).stem for entry in vectors.entries] if not any(labels) and len(labels) <= _NAMED else []
    print(f"drawn: {plot_map(places, labels, output, title=title, names=names)}")
