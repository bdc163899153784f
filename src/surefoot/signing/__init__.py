"""Private keys at work: signers by URI, signed images."""
