"""Scenes as values: their model, their JSON, and those the house brings along. Pure."""

from sothebais.stream.scenes.document import SceneRefused, dump, parse, schema
from sothebais.stream.scenes.model import Scene

__all__ = ["Scene", "SceneRefused", "dump", "parse", "schema"]
