"""Puts hub_configs, which lies beside src, into the wheel as motionhub/hub_configs; all else is in setup.cfg."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithCheckpoints(build_py):
    """In an editable install `motionhub.hub.packaged` finds the folder where it is."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "motionhub" / "hub_configs"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree("hub_configs", target, ignore=shutil.ignore_patterns("*.png", "__pycache__"))


setup(cmdclass={"build_py": BuildWithCheckpoints})
