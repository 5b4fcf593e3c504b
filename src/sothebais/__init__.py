"""A livestreamed auction house for art, hosted by an AI character."""
