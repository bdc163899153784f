"""Every limit of the wire formats, once."""

# Devices hold these in RAM and in one 4 KiB journal copy, together with everything else the journal remembers.
URL_CHARS_MAX = 512
MANIFEST_BYTES_MAX = 2048
REPORT_BYTES_MAX = 8192
ANSWER_BYTES_MAX = 8192
# An answer, and which report it answers.
COMMAND_BYTES_MAX = ANSWER_BYTES_MAX + 256
HEALTH_BYTES_MAX = 8192
# A robot with two hundred statuses says no more.
DIAGNOSTICS_BYTES_MAX = 65536
STATUSES_MAX = 512
# Topics whose rate one window tells.
TOPICS_MAX = 32
WINDOW_S_MAX = 7 * 86400
EVENTS_MAX = 1_000_000
RATE_HZ_MAX = 100_000
JOURNAL_BYTES_MAX = 4096
# The rest of a journal copy is what else it may have to hold at most; the tests build that journal.
OFFER_BYTES_MAX = 2450

# AWS IoT thing names allow 128 characters of this alphabet; FreeRTOS firmware holds job ids of 63.
ROBOT_ID_CHARS_MAX = 128
ASSIGNMENT_ID_CHARS_MAX = 63
NAME_CHARS_MAX = 64
CODE_CHARS_MAX = 64
DETAIL_CHARS_MAX = 500
TRUSTED_KEYS_MAX = 16
DELTA_FORMATS_MAX = 8
COMPANION_VERSIONS_MAX = 8
DELTA_SOURCES_MAX = 8
# Public keys that a manifest may hand to robots: each takes 131 bytes of the journal.
MANIFEST_KEYS_MAX = 3

# Above 2**53 a JSON number may come back as another one.
INTEGER_MAX = 2**53 - 1

# One NOR sector, also the largest piece of an image an agent holds in memory.
CHUNK_BYTES = 4096
IMAGE_BYTES_MAX = 64 * 1024 * 1024
