"""Tintype gives black-and-white photographs their colour back."""

__version__ = "0.1.0"
