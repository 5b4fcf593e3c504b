"""How contents are drawn: one function per content, found by its type. Same content, same size, same pixels."""

from sothebais.stream.painters.brush import Brush
from sothebais.stream.painters.registry import paint

__all__ = ["Brush", "paint"]
