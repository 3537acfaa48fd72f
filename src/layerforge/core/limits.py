"""Lambda's own figures: sizes in bytes, memory in MiB, times in the unit that their names say."""

from __future__ import annotations

LAMBDA_UNZIPPED_LIMIT = 262_144_000
"""Bytes that a function and all its layers may take once unpacked."""

DIRECT_UPLOAD_LIMIT = 52_428_800
"""Zipped bytes up to which a layer can be published without a bucket."""

MIB = 2**20
"""Bytes of what Lambda calls a MB of memory."""

LONGEST_LAYER_NAME = 140
"""Letters, digits, hyphens and underscores."""

SMALLEST_MB, LARGEST_MB = 128, 10_240
"""Memory that a function may have."""

FULL_CPU_MB = 1769
"""Memory that comes with one whole processor."""

MOST_CPUS = 6
"""Processors of the largest function."""

LONGEST_INIT_MS = 10_000
"""Milliseconds after which Lambda gives an init phase up, to begin it anew in the time of the invocation."""

TMP_BYTES = 512 * MIB
"""What a function's ``/tmp`` holds."""


def share(memory: float, machine: int) -> float:
    """Lambda's share of processors for a function of ``memory`` MB, as far as the machine has as many."""
    return min(memory / FULL_CPU_MB, MOST_CPUS, machine)
