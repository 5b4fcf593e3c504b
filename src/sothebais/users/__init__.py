"""People: accounts, wallets, preferences, sessions."""
