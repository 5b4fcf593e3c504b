"""The live feed: snapshots of topics and then their events, in order and without gaps, to any number of clients."""
