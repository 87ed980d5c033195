"""The one place of the version number; read statically by setup.cfg."""

__version__ = "0.1.0"
