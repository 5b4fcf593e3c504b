"""The host that needs no model: grammar, lines, answers."""
