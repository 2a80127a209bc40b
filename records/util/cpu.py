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


def slow_in_bfloat16(flag: str, cpuinfo: str = "/proc/cpuinfo") -> str | None:
    """A line for the user where products of bfloat16 are slower than those of float32, else None.

    Not to be asked where a GPU multiplies.

    Args:
      flag: what asks for bfloat16, with its value.
    """
    if multiplies_bfloat16(cpuinfo):
        return None
    return (f"{flag}: this CPU has neither AVX512-BF16 nor AMX, so bfloat16 is slower than float32; the result is that "
            "of a CPU with them, to rounding")
