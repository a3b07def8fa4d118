"""The version of this library; read by the build and by the default User-Agent."""

__all__ = ["__version__"]

__version__ = "0.1.0"
