"""Begin to put a file, say so on standard output, and wait at its sync for ever."""

import os
import sys
import time
from hashlib import sha256
from pathlib import Path

from surefoot.store.blobs import DirectoryBlobs


def stay(fd: object) -> None:
    sys.stdout.write("syncing\n")
    sys.stdout.flush()
    time.sleep(3600)


blobs = DirectoryBlobs(Path(sys.argv[1]))
os.fsync = stay
blobs.put(sha256(b"data").hexdigest(), b"data")
