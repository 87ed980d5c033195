"""`motionhub push`: publishes a checkpoint or a dataset."""

from typing import Annotated

from typer import Argument, Option


def push(
    folder: Annotated[str, Argument(help="Such as runs/x/best, or what `motionhub dataset build` wrote")],
    repo_id: Annotated[str, Argument(help="owner/name")],
    *,
    dataset: Annotated[bool, Option(help="FOLDER is a dataset")] = False,
    private: Annotated[bool, Option(help="Make a new repository private")] = False,
    card: Annotated[str | None, Option(help="card.yaml, if FOLDER holds none")] = None,
    revision: Annotated[str | None, Option(help="Branch, made if needed")] = None,
    create_pr: Annotated[bool, Option(help="As a pull request")] = False,
) -> None:
    """Publish a checkpoint or a dataset on the Hub, with its card."""
    from huggingface_hub.errors import HfHubHTTPError

    import motionhub.auto  # noqa: F401  (registers the models)
    from motionhub.hub.push import push as publish

    try:
        address = publish(
            folder,
            repo_id,
            card=card,
            dataset=dataset,
            private=private or None,
            revision=revision,
            create_pr=create_pr,
        )
    except HfHubHTTPError as error:
        hint = " Log in first: hf auth login." if "401" in str(error) else ""
        raise ValueError(f"The Hub refused: {error}{hint}") from None
    print(f"pushed: {address}")
