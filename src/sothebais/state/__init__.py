"""Redis: keys, models and the store."""
