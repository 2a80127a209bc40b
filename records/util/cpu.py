"""What the processor of this machine is fast at."""

import pathlib


def multiplies_bfloat16(cpuinfo: str = "/proc/cpuinfo") -> bool:
    """Whether it has instructions for products of bfloat16 (AVX512-BF16 or AMX), without which they are slow.

    True also where nothing is known of it, as on other systems than Linux.
    """
    try:
        features = pathlib.Path(cpuinfo).read_text()
    except OSError:
        return True
    return "avx512_bf16" in features or "amx_bf16" in features
