"""Social platforms: posts seen and sent, bids by post."""
