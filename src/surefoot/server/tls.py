"""How the server speaks TLS: 1.2 or newer, with its own certificate, session tickets on."""

import ssl
from collections.abc import Iterable
from pathlib import Path

from surefoot.server.settings import ServerSettings
from surefoot.wire.errors import Refused


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


def check_certificate_files(settings: ServerSettings) -> None:
    """Raise `Refused` (`refused-settings`) where a setting names a file of certificates that cannot be used."""
    tried = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    many, one = "certificates in PEM", "a key with its certificate in PEM"
    for name, load, what in (
        ("factory_ca", tried.load_verify_locations, many),
        ("broker_ca", tried.load_verify_locations, many),
        ("broker_certificate", tried.load_cert_chain, one),
    ):
        path = getattr(settings, name)
        try:
            if path is not None:
                load(path)
        except OSError as error:
            raise Refused("refused-settings", f"The setting {name} names no file with {what}: see to it.") from error
