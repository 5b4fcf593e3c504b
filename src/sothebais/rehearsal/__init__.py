"""Trying the house out: real past auctions, simulated bidders, faults, the demo."""
