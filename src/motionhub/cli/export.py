"""`motionhub export`: a checkpoint as a graph for other runtimes."""

from pathlib import Path
from typing import Annotated, Any, Literal

from typer import Argument, Option

from motionhub.hub.packaged import A_MODEL, folder_of


def export(
    checkpoint: Annotated[str, Argument(help=f"A model of skeletons: {A_MODEL}")],
    *,
    out: Annotated[str, Option("--out", "-o", help="New folder, or one that was exported earlier")],
    to: Annotated[Literal["onnx", "openvino", "executorch", "torch"], Option(help="Format of the graph")] = "onnx",
    frames: Annotated[
        int | None, Option(help="Longest clip of the graph; by default what the processor makes, else 128")
    ] = None,
    clips: Annotated[list[str] | None, Option(help="File of real clips for the comparison; may be repeated")] = None,
    phrases: Annotated[
        list[str] | None, Option(help="Words of yours for the text bank of a zero-shot model; may be repeated")
    ] = None,
    num_clips: Annotated[int, Option(help="Clips of the comparison")] = 100,
    stream: Annotated[
        int | None, Option(help="Of a segmentation model: also its stream, whose attention sees so many frames")
    ] = None,
) -> None:
    """Export a checkpoint, to run it without torch.

    The folder has the graph in one file, config, processor, text bank, card, and parity.json, which compares it with
    PyTorch. motionhub.Predictor(FOLDER) and pipeline(TASK, model=FOLDER) run it.
    """
    if frames is not None and frames < 2:
        raise ValueError(f"--frames must be at least 2, got {frames}.")
    if num_clips < 2:
        raise ValueError(f"--num_clips must be at least 2, got {num_clips}.")
    if stream is not None and stream < 1:
        raise ValueError(f"--stream must be at least 1 frame, got {stream}.")
    from motionhub.export.graphs import check_installed

    check_installed(to)
    from motionhub.cli.models import load
    from motionhub.export.folder import export_checkpoint
    from motionhub.hub.packaged import check_weights, model_id
    from motionhub.towers.text_bank import TextBank

    source = model_id(checkpoint)
    check_weights(source)
    head, tasks = _head_and_tasks(source, checkpoint)
    model, processor = load(source, head)
    bank = TextBank.from_pretrained(source) if hasattr(model.config, "text_size") else None
    if phrases:
        if bank is None:
            raise ValueError(f"--phrases are for zero-shot models with a text bank; {checkpoint} has none.")
        bank = bank.with_phrases(phrases)
    folder = folder_of(checkpoint)
    measured = export_checkpoint(
        model,
        processor,
        out,
        to=to,
        tasks=tasks,
        frames=frames,
        bank=bank,
        source=folder if folder.is_dir() else None,
        clips=[Path(each) for each in clips or ()],
        num_clips=num_clips,
        stream=stream,
    )
    print(f"{out}: {to} of {checkpoint}, {', '.join(tasks)}")
    if measured:
        ms = measured["milliseconds"]["1 thread"]
        print(
            f"{measured['bytes'] / 1e6:.1f} MB, largest difference {measured['largest_difference']:.1e} and "
            f"{measured['same_first_answer']:.0%} same first answers on {measured['clips']} clips, "
            f"{ms['onnxruntime']} ms per clip on one thread (torch {ms['torch']})"
        )


def _head_and_tasks(source: str, checkpoint: str) -> tuple[Any, list[str]]:
    """The Auto class of a checkpoint's architecture, and the pipelines that take it."""
    from transformers import AutoConfig

    from motionhub.auto import FAMILIES, PIPELINES, WrongTask, tasks_of

    config = AutoConfig.from_pretrained(source)
    family = next((each for each in FAMILIES if isinstance(config, each.config)), None)
    if family is None:
        raise ValueError(f"{checkpoint} is no motionhub checkpoint ({config.model_type}).")
    wanted = (config.architectures or [""])[0]
    models = {head: model.__name__ for head, model in family.models.items()}
    heads = [head for head, name in models.items() if name == wanted and name != WrongTask.__name__]
    if not heads:
        raise ValueError(f"{checkpoint} has the architecture {wanted!r}, which has no pipeline to export.")
    return heads[-1], [task for task in tasks_of(family) if PIPELINES[task][1] is heads[-1]]
