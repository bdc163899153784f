"""A process that makes one delta and ends: work for seconds that must take no time from the server that started it.

Standard input has the length of the source file in eight bytes, the source file and the target file; the delta comes
out at standard output. It imports nothing of the server, so it starts quickly. When the server is killed, there is
nobody to write to and this ends too, or else at its limit of processor time.
"""

import os
import resource
import sys

from surefoot.signing.delta import make_delta
from surefoot.wire.errors import Refused

LENGTH_BYTES = 8
# The exit code that says "refused", with the reason at standard error.
REFUSED = 3
# The largest image takes minutes; whatever takes longer than this will not end.
CPU_S_MAX = 1800
NICENESS = 10


def main() -> int:
    """Make the delta and return the exit code."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S_MAX, CPU_S_MAX))
    order = sys.stdin.buffer.read()
    end = LENGTH_BYTES + int.from_bytes(order[:LENGTH_BYTES], "big")
    try:
        delta = make_delta(order[LENGTH_BYTES:end], order[end:])
    except Refused as error:
        sys.stderr.write(error.message)
        return REFUSED
    sys.stdout.buffer.write(delta)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
