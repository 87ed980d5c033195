"""A Space of `motionhub app`: all of it is in the package."""

import sys

from motionhub.cli.main import main


if __name__ == "__main__":
    sys.exit(main(["app", "--host", "0.0.0.0", "--port", "7860", "--max_mb", "50", "--max_seconds", "60"]))
