"""How the server speaks TLS: 1.2 or newer, with its own certificate, session tickets on."""

import ssl
from pathlib import Path


def server_tls_context(certificate: Path) -> ssl.SSLContext:
    """Return the context for a file that holds private key and chain."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate)
    return context
