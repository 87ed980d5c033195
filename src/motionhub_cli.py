"""The `motionhub` command's entry point: `--help` answers without torch, a command imports what it needs."""


def main() -> int:
    from motionhub.cli.main import main as run

    return run()
