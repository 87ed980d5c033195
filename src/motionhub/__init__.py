"""motionhub: encoders of human motion. Importing it makes its models known to the Auto classes of transformers."""

from motionhub.version import __version__


__all__ = ["__version__"]
