"""Where a model could run: memory, bf16 units, speed; asked of the operating system and the driver, not torch.

A CPU's speed is measured in half a second; a card's is its data sheet's times a share we assume. Knows no recipe.
"""

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from prescreen.sizing import GIB, Precision

CPU_SHARE = 0.5  # of a measured product's speed, seen in training steps (benchmarks/steps.py)
CARD_SHARE = 0.2  # of the data sheet's products: seen on an H200 (0.18 to 0.28), assumed of others
MEMORY_SHARE = 0.6  # of the data sheet's bandwidth, assumed
# NVIDIA's data sheets and white papers: dense bf16 with fp32 sums in TFLOP/s, memory in GB/s. The first name whose
# words a card's name holds counts.
CARDS = {
    "B200": (2250, 8000),
    "H200": (989, 4800),
    "H100 PCIe": (756, 2000),
    "H100 NVL": (835, 3900),
    "H100": (989, 3350),
    "A100 80GB": (312, 1935),
    "A100": (312, 1555),
    "L40S": (362, 864),
    "L40": (181, 864),
    "L4": (121, 300),
    "A40": (150, 696),
    "A10G": (70, 600),
    "A10": (125, 600),
    "RTX 6000 Ada": (364, 960),
    "RTX A6000": (155, 768),
    "RTX 5090": (209, 1792),
    "RTX 4090": (165, 1008),
    "RTX 3090": (71, 936),
    "RTX 5080": (113, 960),
    "RTX 4080": (97, 717),
    "RTX 4060 Ti": (44, 288),
}


class Device(NamedTuple):
    """Where a model could run, and the memory it has there in bytes."""

    name: str
    memory: int
    bf16: bool

    @property
    def is_cpu(self) -> bool:
        return self.name.startswith("CPU")

    @property
    def precision(self) -> Precision:
        """What training uses there: bf16 on a card, fp32 on any CPU."""
        return "float32" if self.is_cpu else "bfloat16"


class Speed(NamedTuple):
    """Operations and bytes a second that a training step is expected to reach, and where that comes from."""

    products: float
    memory: float
    basis: str


def find_devices() -> list[Device]:
    """The CPU, and NVIDIA cards as their driver lists them."""
    return [Device(f"CPU, {os.cpu_count()} cores", total_memory(), has_cpu_bf16()), *find_cards()]


def find_cards() -> Iterator[Device]:
    """NVIDIA cards; bf16 needs compute capability 8.0."""
    command = ["nvidia-smi", "--query-gpu=name,memory.total,compute_cap", "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return
    try:
        listed = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True).stdout
    except (subprocess.SubprocessError, OSError):
        return
    for line in listed.splitlines():
        name, mebibytes, capability = (part.strip() for part in line.rsplit(",", 2))
        yield Device(name, int(mebibytes) * 1024**2, float(capability) >= 8.0)


def has_cpu_bf16() -> bool:
    """Whether the CPU multiplies bf16 itself; without that it is some 500 times slower than fp32."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return False
    words = set(info.read_text().split())
    return bool(words & {"avx512_bf16", "amx_bf16", "bf16"})


def total_memory() -> int:
    """Memory this process may use: the machine's, or its container's limit when that is smaller."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    return min(total, int(text)) if text.isdigit() else total


def describe_device(device: Device) -> str:
    """Name, memory and the precision training will use there."""
    units = "with bf16 units" if device.bf16 else "without bf16 units"
    used = {"float32": "fp32", "bfloat16": "bf16"}[device.precision]
    return f"{device.name}, {device.memory / GIB:.1f} GiB, {units}, {used} will be used"


def find_speed(device: Device) -> Speed | None:
    """What a training step should reach there; None for a card whose data sheet we do not hold."""
    if device.is_cpu:
        return measure_cpu()
    for name, (teraflops, gigabytes) in CARDS.items():
        if all(re.search(rf"\b{word}\b", device.name) for word in name.split()):
            basis = f"{CARD_SHARE:.0%} of the {teraflops} TFLOP/s of {name}'s data sheet, as seen on an H200"
            return Speed(CARD_SHARE * teraflops * 1e12, MEMORY_SHARE * gigabytes * 1e9, basis)
    return None


def measure_cpu(clock: Callable[[], float] = time.perf_counter) -> Speed:
    """One product and one copy, the best of some tenths of a second, on as many threads as training would use."""
    import numpy as np

    left, right = (np.ones((768, 768), np.float32) for _ in range(2))
    source, target = (np.ones(16 * 1024**2, np.float32) for _ in range(2))
    products = 2 * 768**3 / best_time(lambda: np.matmul(left, right), clock)
    memory = 2 * source.nbytes / best_time(lambda: np.copyto(target, source), clock)
    basis = f"{CPU_SHARE:.0%} of the {products / 1e9:.0f} GFLOP/s of a product measured now"
    return Speed(CPU_SHARE * products, memory, basis)


def best_time(act: Callable[[], object], clock: Callable[[], float], limit: float = 0.2) -> float:
    """Seconds of the quickest of at least three calls within `limit` seconds."""
    act()
    times: list[float] = []
    while len(times) < 3 or sum(times) < limit:
        begun = clock()
        act()
        times.append(clock() - begun)
    return min(times)
