"""The event log: everything that happens, in order, published after commit."""
