"""The server's own key for snapshot and timestamp: the one private key that is ever on a server.

Whoever takes it can say that old news is the newest, until a new root takes it back; he cannot make a robot run
anything that no offline key signed.
"""

from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata

from surefoot.signing.metadata import endorse
from surefoot.signing.signers import Signer, new_key, open_signer
from surefoot.trust.keys import PublicKey

KEY_FILE = "metadata.pem"


class MetadataKey:
    """Signs with the key in the data directory. Fills `fleet.documents.OnlineKey`."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    @property
    def public_key(self) -> PublicKey:
        """The key that verifies what this signs."""
        return self._signer.public_key

    def endorse(self, document: Metadata[Any]) -> None:
        """Add this key's signature to a document."""
        endorse(document, self._signer)


def ensure_metadata_key(data_dir: Path) -> MetadataKey:
    """Open the server's own key, made at first start (mode 0600); several servers of one fleet need the same file.

    Who removes that file gives the server a new key, which signs once a root names it.

    Raises:
        Refused: `refused-file-unreadable`, `refused-file-unwritable`, `refused-key-format`.
    """
    path = data_dir / KEY_FILE
    if not path.exists():
        # The public half of a key that is gone would only be in the way of the next.
        Path(f"{path}.pub.der").unlink(missing_ok=True)
        new_key(path)
    return MetadataKey(open_signer(f"file:{path}"))
