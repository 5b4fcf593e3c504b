"""Real PostgreSQL and Valkey servers, started by the first process, shared, stopped by the last."""

from sothebais.embedded.servers import EmbeddedServers, Servers

__all__ = ["EmbeddedServers", "Servers"]
