"""`motionhub card`: the card of a finished run."""

from typing import Annotated

from typer import Argument, Option


def card(
    run: Annotated[str, Argument(help="Such as runs/x/last")],
    *,
    licence: Annotated[str, Option(help="Of the weights, such as cc-by-4.0, mit, other")],
    data: Annotated[str, Option(help="What the model was trained on")],
    data_licence: Annotated[str, Option(help="The terms of its authors")],
    title: Annotated[str | None, Option(help="By default from model and data")] = None,
    summary: Annotated[str | None, Option(help="By default from model, task and data")] = None,
    limits: Annotated[list[str] | None, Option(metavar="TEXT...", help="What is known not to work")] = None,
    overwrite: Annotated[bool, Option(help="Replace a card.yaml that exists")] = False,
) -> None:
    """Write the card of a finished run, which push and bundle need."""
    from motionhub.hub.run_card import write_run_card

    path = write_run_card(
        run,
        licence=licence,
        data=data,
        data_licence=data_licence,
        title=title,
        summary=summary,
        limits=limits or (),
        overwrite=overwrite,
    )
    print(f"written: {path}, {path.with_name('README.md')}")
    print(f"next: motionhub push {run} OWNER/NAME")
