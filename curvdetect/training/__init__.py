"""How a network is taken to memorization."""
