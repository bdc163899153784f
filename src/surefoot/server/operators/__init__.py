"""What operators reach: accounts, sessions, and a route for everything they may do."""
