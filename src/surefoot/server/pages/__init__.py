"""What operators look at: pages rendered on the server, live by server-sent events, with nothing from elsewhere."""
