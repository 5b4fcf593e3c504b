"""What the relay needs from the domains above it; ``bootstrap`` fills it."""

from collections.abc import Sequence
from typing import Any, Protocol

from sothebais.events.cursors import LoggedEvent
from sothebais.state.store import Publication, Write


class Projector(Protocol):
    """Turns one domain's events into its Redis states.

    ``project`` is called with events in the order of the log and keeps what it needs between calls; what it gives is
    the same whether it saw every event or loaded the state fresh from the tables.
    """

    def wants(self, event: LoggedEvent) -> bool:
        """Whether this event may change a state of this domain."""

    async def project(self, connection: Any, events: Sequence[LoggedEvent]) -> tuple[list[Write], list[Publication]]:
        """The states after these events, and what is published without being logged."""

    async def rebuild(self, connection: Any) -> list[Write]:
        """Every state that should be there now, fresh from the tables."""

    def patterns(self) -> Sequence[str]:
        """The key patterns that this domain owns."""

    def forget(self) -> None:
        """Drop what was kept between calls."""
