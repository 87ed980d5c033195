"""`motionhub push` and `motionhub bundle`: the part of the command line that publishes and passes on.

It computes nothing itself (`motionhub.hub`). Every import that costs time is inside the command that needs it.
"""

import argparse
from typing import Any


def add_commands(commands: Any) -> None:
    """Adds both commands to the subparsers of `motionhub`."""
    _add_push(commands)
    bundle = commands.add_parser("bundle", help="checkpoints and datasets as one file, for machines without a network")
    actions = bundle.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_create(actions)
    verify = actions.add_parser("verify", help="compare every byte with the manifest; writes nothing")
    install = actions.add_parser("install", help="add the content to the Hugging Face cache; then ids load offline")
    for command in (verify, install):
        command.add_argument("file", metavar="FILE", help="the bundle")
        command.add_argument("--sha256", default=None, help="digest that `bundle create` printed")
    install.add_argument(
        "--cache_dir", default=None, help="folder that HF_HOME names (hub/ and datasets/ are in it); default: in use"
    )
    verify.set_defaults(run=_verify)
    install.set_defaults(run=_install)


def _add_push(commands: Any) -> None:
    push = commands.add_parser("push", help="publish a checkpoint or a dataset on the Hub, with its card")
    push.add_argument("folder", metavar="FOLDER", help="such as runs/x/best, or what `motionhub dataset build` wrote")
    push.add_argument("repo_id", metavar="REPO_ID", help="owner/name")
    push.add_argument("--dataset", action="store_true", help="FOLDER is a dataset")
    push.add_argument("--private", action="store_true", help="of a new repository")
    push.add_argument("--card", default=None, metavar="FILE", help="card.yaml, if FOLDER holds none")
    push.add_argument("--revision", default=None, help="branch, made if needed")
    push.add_argument("--create_pr", action="store_true", help="as a pull request")
    push.set_defaults(run=_push)


def _add_create(actions: Any) -> None:
    create = actions.add_parser("create", help="pack repositories of the cache, or local folders")
    create.add_argument("out", metavar="OUT", help="new file: .tar, .tar.gz or .tar.zst")
    what = "owner/name[@revision] of the cache, or owner/name=FOLDER"
    create.add_argument("--checkpoints", nargs="+", default=[], metavar="ID", help=what)
    create.add_argument("--datasets", nargs="+", default=[], metavar="ID", help=what)
    create.add_argument("--cache_dir", default=None, help="folder that HF_HOME names; default: the one in use")
    closed = "also pack datasets whose terms forbid redistribution, for another machine of your own institution only"
    create.add_argument("--include_closed", action="store_true", help=closed)
    create.set_defaults(run=_create)


def _push(arguments: argparse.Namespace) -> int:
    from huggingface_hub.errors import HfHubHTTPError

    import motionhub.auto  # noqa: F401  (the command line does not register the models by itself)
    from motionhub.hub.push import push

    options = {"card": arguments.card, "dataset": arguments.dataset, "private": arguments.private or None}
    try:
        address = push(
            arguments.folder,
            arguments.repo_id,
            revision=arguments.revision,
            create_pr=arguments.create_pr,
            **options,
        )
    except HfHubHTTPError as error:
        hint = " Log in first: hf auth login." if "401" in str(error) else ""
        raise ValueError(f"The Hub refused: {error}{hint}") from None
    print(f"pushed: {address}")
    return 0


def _create(arguments: argparse.Namespace) -> int:
    import motionhub.auto  # noqa: F401
    from motionhub.hub.bundle import create_bundle

    options = {"cache_dir": arguments.cache_dir, "include_closed": arguments.include_closed}
    bundle = create_bundle(arguments.out, arguments.checkpoints, arguments.datasets, **options)
    _show(bundle)
    print(f"packed: {arguments.out}; check it elsewhere with --sha256 {bundle.sha256}")
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    from motionhub.hub.bundle import verify_bundle

    bundle = verify_bundle(arguments.file, sha256=arguments.sha256)
    _show(bundle)
    print(f"intact: {arguments.file}, manifest {bundle.sha256}")
    return 0


def _install(arguments: argparse.Namespace) -> int:
    from motionhub.hub.bundle import install_bundle

    bundle = install_bundle(arguments.file, cache_dir=arguments.cache_dir, sha256=arguments.sha256)
    _show(bundle)
    home = f"HF_HOME={arguments.cache_dir} " if arguments.cache_dir else ""
    print(f"installed; these ids load with {home}HF_HUB_OFFLINE=1")
    return 0


def _show(bundle: Any) -> None:
    for each in bundle.repositories:
        size = sum(file.size for file in each.files) / 1e6
        print(f"{each.kind} {each.id} ({each.revision[:8]}): {len(each.files)} files, {size:.1f} MB, {each.licence}")
