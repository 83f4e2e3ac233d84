"""Loads a checkpoint with the safetensors library, as fst's benchmarks do; prints a metric a line.

Arguments: the device (cuda:0, cpu) and a .safetensors file or a directory of them.
"""

import gc
import pathlib
import sys
import time


def load(files, device, synchronize):
    """Loads every file; returns the seconds until all tensors are on the device, and their bytes."""
    start = time.perf_counter()
    tensors = {}
    for file in files:
        tensors.update(load_file(str(file), device=device))
    synchronize()
    seconds = time.perf_counter() - start
    return seconds, sum(t.numel() * t.element_size() for t in tensors.values())


started = time.perf_counter()
# Imported here, since their time counts.
import torch  # noqa: E402
import safetensors  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

imported = time.perf_counter()
device, path = sys.argv[1], pathlib.Path(sys.argv[2])
files = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
on_gpu = device.startswith("cuda")
synchronize = torch.cuda.synchronize if on_gpu else lambda: None
if on_gpu:
    torch.zeros(1, device=device)
    synchronize()
ready = time.perf_counter()
first, size = load(files, device, synchronize)
resident_at = time.time()
gc.collect()
if on_gpu:
    # Without it the second load would reuse the first one's device memory, and fst's loads do not.
    torch.cuda.empty_cache()
again, _ = load(files, device, synchronize)

print("bytes", size, sep="\t")
print("seconds_import", imported - started, sep="\t")
print("seconds_device", ready - imported, sep="\t")
print("seconds_first", first, sep="\t")
print("resident_at", resident_at, sep="\t")
print("seconds_again", again, sep="\t")
print("safetensors", safetensors.__version__, sep="\t")
print("torch", torch.__version__, sep="\t")
