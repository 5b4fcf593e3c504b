"""Which painter draws which content."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from sothebais.stream import figure, layers
from sothebais.stream.painters import attire, bidding, pages, plumage, results, stagecraft, surfaces, words
from sothebais.stream.painters.brush import Brush

PAINTERS: Final[Mapping[type, Callable[[Any, Brush], None]]] = MappingProxyType(
    {
        layers.Wall: surfaces.wall,
        layers.Fill: surfaces.fill,
        layers.Glow: surfaces.glow,
        layers.Hairline: surfaces.hairline,
        layers.Dot: surfaces.dot,
        layers.Picture: surfaces.picture,
        layers.Feed: surfaces.feed,
        layers.Text: words.words,
        layers.Figures: words.figures,
        layers.Roll: words.roll,
        layers.Lines: words.lines,
        layers.Mark: words.mark,
        layers.CaptionText: words.caption,
        layers.Ring: bidding.ring,
        layers.Lamps: bidding.lamps,
        layers.TickerRow: bidding.ticker_row,
        layers.Qr: bidding.qr,
        layers.Stamp: bidding.stamp,
        layers.Card: pages.card,
        layers.Page: results.page,
        layers.SlateText: pages.slate,
        layers.PostCard: pages.post,
        figure.HostBackdrop: stagecraft.backdrop,
        figure.HostBody: attire.body,
        figure.HostPlumage: plumage.plumage,
        figure.HostBeak: plumage.beak,
        figure.HostEye: plumage.eye,
        figure.HostSpectacles: plumage.spectacles,
        figure.HostTie: attire.tie,
        figure.HostWings: attire.wings,
        figure.HostLectern: stagecraft.lectern,
    }
)


def paint(content: layers.Content, brush: Brush) -> None:
    """Draw a content (any but a group, which the compositor takes apart)."""
    PAINTERS[type(content)](content, brush)
