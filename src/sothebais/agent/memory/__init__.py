"""Memory: what the host keeps of people and of the campaign, with where it comes from."""
