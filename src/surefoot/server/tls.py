"""How the server speaks TLS: 1.2 or newer, with its own certificate, session tickets on."""

import ssl
from collections.abc import Iterable
from pathlib import Path


def server_tls_context(certificate: Path, client_cas: Iterable[Path] = ()) -> ssl.SSLContext:
    """Return the context for a file that holds private key and chain.

    With `client_cas` clients are asked for a certificate; one need not show any, and one that none of these issued is
    refused in the handshake.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(certificate)
    for path in client_cas:
        context.load_verify_locations(path)
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
