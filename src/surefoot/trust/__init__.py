"""Believe or refuse: keys, signatures, version rules."""
