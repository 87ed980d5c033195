"""`motionhub bundle`: checkpoints and datasets in one file."""

from typing import Annotated, Any

from typer import Argument, Option, Typer

from motionhub.cli.options import CacheDir, Command, Group
from motionhub.cli.report import counted


bundle = Typer(name="bundle", cls=Group, help="Checkpoints and datasets as one file, for machines without a network.")
_CONTENT = "owner/name[@revision] of the cache, or owner/name=FOLDER"
_CLOSED = "Also pack datasets that must not be redistributed, for machines of your own institution only"
Ids = Annotated[list[str] | None, Option(metavar="ID...", help=_CONTENT)]
File = Annotated[str, Argument(help="The bundle")]
Sha256 = Annotated[str | None, Option(help="Digest that `bundle create` printed")]


@bundle.command(cls=Command)
def create(
    out: Annotated[str, Argument(help="New file: .tar, .tar.gz or .tar.zst")],
    *,
    checkpoints: Ids = None,
    datasets: Ids = None,
    cache_dir: CacheDir = None,
    include_closed: Annotated[bool, Option(help=_CLOSED)] = False,
) -> None:
    """Pack repositories of the cache or local folders."""
    import motionhub.auto  # noqa: F401  (registers the models)
    from motionhub.hub.bundle import create_bundle

    packed = create_bundle(out, checkpoints or [], datasets or [], cache_dir=cache_dir, include_closed=include_closed)
    _print(packed)
    print(f"packed: {out}; check it elsewhere with --sha256 {packed.sha256}")


@bundle.command(cls=Command)
def verify(file: File, *, sha256: Sha256 = None) -> None:
    """Compare every byte with the manifest; writes nothing."""
    from motionhub.hub.bundle import verify_bundle

    verified = verify_bundle(file, sha256=sha256)
    _print(verified)
    print(f"intact: {file}, manifest {verified.sha256}")


@bundle.command(cls=Command)
def install(file: File, *, sha256: Sha256 = None, cache_dir: CacheDir = None) -> None:
    """Add the content to the Hugging Face cache; then ids load offline."""
    from motionhub.hub.bundle import install_bundle

    _print(install_bundle(file, cache_dir=cache_dir, sha256=sha256))
    home = f"HF_HOME={cache_dir} " if cache_dir else ""
    print(f"installed; these ids load with {home}HF_HUB_OFFLINE=1")


def _print(bundle: Any) -> None:
    for each in bundle.repositories:
        size = sum(file.size for file in each.files) / 1e6
        held = f"{counted(len(each.files), 'files')}, {size:.1f} MB, {each.licence}"
        print(f"{each.kind} {each.id} ({each.revision[:8]}): {held}")
