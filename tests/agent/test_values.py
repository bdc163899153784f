from agent.agent_case import RUNS_OLD
from support import code_of
from surefoot.wire.limits import CHUNK_BYTES


def test_a_block_holds_whole_pieces() -> None:
    for pieces in (1, 2, 16):
        assert RUNS_OLD.replace(block_bytes=pieces * CHUNK_BYTES).block_bytes == pieces * CHUNK_BYTES
    for block_bytes in (-CHUNK_BYTES, 0, 1, 512, CHUNK_BYTES - 1, CHUNK_BYTES + 1, 6144):
        assert code_of(RUNS_OLD.replace, block_bytes=block_bytes) == "misuse-record", block_bytes
