"""The `motionhub` command's entry point, outside the package so that the package can tell who started it.

`import motionhub` registers the models with transformers, which imports torch (seconds). The command line must answer
`--help` at once; it registers when a command needs a model. It does not know any command (`motionhub.cli`).
"""


def main() -> int:
    from motionhub.cli import main as run

    return run()
