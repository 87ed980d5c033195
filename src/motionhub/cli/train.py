"""`motionhub train`: fine-tuning, linear evaluation, few labels or from scratch."""

from collections.abc import Iterator
from dataclasses import MISSING, Field, fields
from inspect import Parameter, Signature
from typing import Annotated, Any, Literal, get_origin

from typer import Context, Option

from motionhub.cli.options import Command
from motionhub.training.arguments import RunArguments, TrainingRecipe


class TrainCommand(Command):
    """Passes its argv to `parse_training`; the declared options are for the help and shell completion."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if ctx.resilient_parsing or {"-h", "--help"} & {*args}:
            return super().parse_args(ctx, args)
        ctx.args = list(args)
        return ctx.args


def train(context: Context, **declared: Any) -> None:
    """Fine-tune, linear evaluation, few labels or from scratch.

    The model's training.json, or that of --recipe, gives the defaults of the recipe; those shown here are for models
    without one.
    """
    from motionhub.auto import AutoModelForActionClassification, AutoModelForActionSegmentation
    from motionhub.metrics.classification import format_report
    from motionhub.metrics.segmentation import format_segmentation_report
    from motionhub.training import trainer
    from motionhub.training.start import load_splits, parse_training, prepare_start
    from motionhub.training.tasks.segmentation import SegmentationOptions, is_segmentation_model, train_segmentation

    arguments, recipe, options = parse_training(context.args, "", SegmentationOptions, prog="motionhub train")
    frames = is_segmentation_model(arguments.model)
    if not frames:
        options.check_not_given(arguments.model)
    splits = load_splits(arguments)
    if frames:
        result = train_segmentation(splits, arguments, recipe, AutoModelForActionSegmentation, options)
    else:
        model, processor = prepare_start(arguments, recipe, splits["train"], AutoModelForActionClassification)
        result = trainer.train(model, processor, splits["train"], splits[arguments.eval_split], recipe)
    if result.is_main_process:
        print((format_segmentation_report if frames else format_report)(result.last_metrics))
        last = f"{'last' if frames else 'last epoch'}: {result.last_dir}"
        print(f"{result.steps} updates in {result.seconds:.0f} s; {last}, best: {result.best_dir}")


def _declared(kind: type, panel: str) -> Iterator[Parameter]:
    """The fields of a dataclass as options, with their help."""
    for each in fields(kind):
        flag = f"--{each.name}/--no_{each.name}" if each.default is True else f"--{each.name}"
        shown: Any = each.type if each.type is bool or get_origin(each.type) is Literal else str | None
        annotation = Annotated[shown, Option(flag, help=each.metadata["help"], rich_help_panel=panel)]
        yield Parameter(each.name, Parameter.KEYWORD_ONLY, default=_default(each), annotation=annotation)


def _default(each: Field[Any]) -> Any:
    """The default as text, as the option is declared; `Parameter.empty` makes it required."""
    value = each.default if each.default_factory is MISSING else " ".join(map(str, each.default_factory()))
    if value is MISSING:
        return Parameter.empty
    return value if value is None or isinstance(value, bool) else str(value)


_OPTIONS = [*_declared(RunArguments, "Data and model"), *_declared(TrainingRecipe, "Recipe")]
train.__signature__ = Signature(  # type: ignore[attr-defined]
    [Parameter("context", Parameter.POSITIONAL_OR_KEYWORD, annotation=Context), *_OPTIONS]
)
