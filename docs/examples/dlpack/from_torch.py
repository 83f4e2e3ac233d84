#!/usr/bin/env python3
"""Loads a checkpoint with fst inside a Python process, hands every tensor to PyTorch (or NumPy) through DLPack without
a copy, and compares; then the other way round. Ends with 0 if all bytes agree, every deleter has run once and the
memory is free again.

    python3 from_torch.py --java-home JRE --module-path LIBDIR --device cuda:0 FILE.safetensors
"""

import argparse
import gc
import json
import os
import random
import struct
import sys

import capsule
from jvm import JavaError, Jvm

API = "io/fastsafetensors/api/"
# The framework's names of dtypes; what is missing, or what the framework does not have, is passed as bytes.
NAMES = {"BOOL": "bool", "U8": "uint8", "I8": "int8", "I16": "int16", "U16": "uint16", "F16": "float16",
         "BF16": "bfloat16", "I32": "int32", "U32": "uint32", "F32": "float32", "C64": "complex64", "F64": "float64", "I64": "int64",
         "U64": "uint64", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E8M0": "float8_e8m0fnu",
         "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz", "F4": "float4_e2m1fn_x2"}
BYTES = {"F4", "F6_E2M3", "F6_E3M2", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}


class Torch:
    def __init__(self):
        import torch
        self.torch = torch
        release = tuple(int(part) for part in torch.__version__.split(".")[:2])
        # PyTorch exports versioned structs from 2.9 on; older ones know the legacy struct alone.
        self.versioned = release >= (2, 9)
        self.known = {d: n for d, n in NAMES.items() if hasattr(torch, n) and (self.versioned or d not in BYTES)}
        if release < (2, 0):
            del self.known["BOOL"]  # older than kDLBool
        # It deleted nothing whose data pointer is null.
        self.forgets_empty = release < (2, 1)
        self.title = "torch " + torch.__version__

    def take(self, exported):
        return self.torch.from_dlpack(exported)

    def dtype(self, array):
        return str(array.dtype).removeprefix("torch.")

    def bytes(self, array):
        flat = array.reshape(-1)
        return flat.view(self.torch.uint8).cpu().numpy().tobytes() if flat.numel() else b""

    def numbers(self, device):
        return self.torch.arange(4096, dtype=self.torch.float32, device=device).reshape(16, 256) / 7

    def double(self, array):
        return array.double()

    def lend(self, array, version):
        if array.is_cuda:
            self.torch.cuda.synchronize()  # fst has streams of its own
        return array.__dlpack__(**({"max_version": (1, 0)} if version == capsule.VERSIONED else {}))

    def free_memory(self, device):
        """Free bytes of a graphics card; 0 for the CPU, whose memory others use too."""
        if not device.startswith("cuda"):
            return 0
        self.torch.cuda.empty_cache()
        return self.torch.cuda.mem_get_info(device)[0]


class Numpy:
    def __init__(self):
        import numpy
        self.numpy = numpy
        release = tuple(int(part) for part in numpy.__version__.split(".")[:2])
        self.versioned = release >= (2, 1)
        self.known = {d: n for d, n in NAMES.items() if d != "BF16" and d not in BYTES}
        if not self.versioned:
            del self.known["BOOL"]
        self.forgets_empty = False
        self.title = "numpy " + numpy.__version__

    def take(self, exported):
        return self.numpy.from_dlpack(exported)

    def dtype(self, array):
        return str(array.dtype)

    def bytes(self, array):
        return array.tobytes()

    def numbers(self, _):
        return self.numpy.arange(4096, dtype=self.numpy.float32).reshape(16, 256) / 7

    def double(self, array):
        return array.astype(self.numpy.float64)

    def lend(self, array, version):
        return array.__dlpack__(**({"max_version": (1, 0)} if version == capsule.VERSIONED else {}))

    def free_memory(self, _):
        return 0


class Fst:
    """fst's loader, called through JNI."""

    def __init__(self, jvm, device):
        self.jvm = jvm
        builder = jvm.static(API + "Loader", "builder", f"()L{API}LoaderBuilder;")
        builder = builder.call("device", f"(Ljava/lang/String;)L{API}LoaderBuilder;", jvm.string(device))
        self.loader = builder.call("build", f"()L{API}Loader;")
        self.deleters = capsule.Deleters()
        self.handed = 0

    def load(self, path):
        return self.loader.call("load", f"(Ljava/nio/file/Path;)L{API}Weights;", self.jvm.path(path))

    def tensor(self, weights, name):
        return weights.call("get", f"(Ljava/lang/String;)L{API}Tensor;", self.jvm.string(name))

    def version(self, name):
        return self.jvm.static(API + "DlpackVersion", "valueOf", f"(Ljava/lang/String;)L{API}DlpackVersion;",
                               self.jvm.string(name))

    def export(self, tensor, version):
        made = tensor.call("toDlpack", f"(L{API}DlpackVersion;)L{API}Dlpack;", self.version(version))
        address = made.call("address", "()J")
        self.deleters.count(address, version)
        self.handed += 1
        exported = capsule.Struct(address, version)
        made.call("consumed", "()V")
        return exported

    def adopt(self, lent):
        address, version = capsule.take(lent)
        self.deleters.count(address, version)
        self.handed += 1
        return self.loader.call("fromDlpack", f"(JL{API}DlpackVersion;)L{API}Tensor;", address, self.version(version))

    def convert(self, tensor, dtype):
        types = "io/fastsafetensors/types/DType"
        target = self.jvm.static(types, "valueOf", f"(Ljava/lang/String;)L{types};", self.jvm.string(dtype))
        return tensor.call("to", f"(L{types};)L{API}Tensor;", target)


def header(path):
    """Each tensor's dtype and bytes, read without fst."""
    with open(path, "rb") as file:
        length, = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(length))
        for name, entry in entries.items():
            if name != "__metadata__":
                begin, end = entry["data_offsets"]
                file.seek(8 + length + begin)
                yield name, entry["dtype"], entry["shape"], file.read(end - begin)


def require(good, what):
    if not good:
        sys.exit("FAILED: " + what)


def reference(framework, path):
    """The file as safetensors itself loads it, where that is installed and understands it."""
    if not isinstance(framework, Torch):
        return {}
    try:
        from safetensors.torch import load_file
        return load_file(path)
    except Exception as problem:  # it stops at the first dtype that it does not know
        print(f"no comparison with safetensors.torch: {problem}")
        return {}


def hand_over(fst, framework, path, seed):
    """Every tensor to the framework; everything is closed and dropped in a random order."""
    expected = reference(framework, path)
    weights, arrays, versions = fst.load(path), [], set()
    for name, dtype, shape, content in header(path):
        as_itself = dtype in framework.known
        version = capsule.VERSIONED if framework.versioned and as_itself else capsule.LEGACY
        versions.add(version)
        exported = fst.export(fst.tensor(weights, name), version)
        if not as_itself and dtype not in BYTES:
            try:
                framework.take(exported)
                require(False, f"{name}: {framework.title} was not to know {dtype}")
            except (BufferError, RuntimeError):
                del exported
                gc.collect()
                continue
        array = framework.take(exported)
        fst.handed -= framework.forgets_empty and not content
        wanted = framework.known[dtype] if as_itself else "uint8"
        require(framework.dtype(array) == wanted, f"{name}: {dtype} came as {framework.dtype(array)}, not {wanted}")
        if dtype not in BYTES or (as_itself and dtype != "F4"):
            require(list(array.shape) == shape, f"{name}: shape {list(array.shape)}, not {shape}")
        require(framework.bytes(array) == content, f"{name}: other bytes than in the file")
        if name in expected:
            known = expected[name]
            alike = not as_itself or (known.dtype, known.shape) == (array.dtype, array.shape)
            require(alike and framework.bytes(known) == content, f"{name}: not what safetensors.torch loads")
        arrays.append((array, content))
    order = random.Random(seed)
    order.shuffle(arrays)
    half = len(arrays) // 2
    del arrays[:half]
    array = known = None
    weights.call("close", "()V")
    for array, content in arrays:
        require(framework.bytes(array) == content, "the bytes changed when the weights were closed")
    array = None
    arrays.clear()
    gc.collect()
    print(f"fst -> {framework.title}: {fst.handed} tensors, {' and '.join(sorted(versions))}; "
          f"{len(expected)} compared with safetensors.torch too")


def take_over(fst, framework, device):
    """Tensors of the framework to fst, whose kernels work on them, and back."""
    for version in [capsule.VERSIONED, capsule.LEGACY] if framework.versioned else [capsule.LEGACY]:
        numbers = framework.numbers(device)
        content, doubled = framework.bytes(numbers), framework.bytes(framework.double(numbers))
        lent = framework.lend(numbers, version)
        tensor = fst.adopt(lent)
        del numbers, lent
        back = framework.take(fst.export(tensor, version))
        converted = framework.take(fst.export(fst.convert(tensor, "F64"), version))
        tensor.call("close", "()V")
        require(framework.bytes(back) == content, f"{version}: other bytes after a round trip")
        require(framework.bytes(converted) == doubled, f"{version}: fst converts lent memory wrongly")
        back = converted = None
        gc.collect()
        print(f"{framework.title} -> fst -> {framework.title}: {version}")
    numbers = framework.numbers(device)
    lent = framework.lend(numbers.T, version)
    try:
        address, made = capsule.take(lent)
        fst.loader.call("fromDlpack", f"(JL{API}DlpackVersion;)L{API}Tensor;", address, fst.version(made))
        require(False, "a transposed tensor was taken")
    except JavaError as refused:
        require("strides" in str(refused), str(refused))
        capsule.delete(address, made)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--java-home", required=True, help="a JDK or runtime, 25 or newer")
    parser.add_argument("--module-path", help="the directory of fst's jars")
    parser.add_argument("--class-path", help="instead of a module path")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--framework", choices=["torch", "numpy"], default="torch")
    parser.add_argument("--java-option", action="append", default=[], help="a further option for the virtual machine")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("file")
    options = parser.parse_args()
    print("seed", options.seed)
    framework = Torch() if options.framework == "torch" else Numpy()
    if options.module_path:
        path = ["--module-path=" + options.module_path, "--add-modules=ALL-MODULE-PATH"]
        jars = os.listdir(options.module_path)
        automatic = [m for m in ("jcuda", "jocl") if any(jar.startswith(m) for jar in jars)]
        native = ",".join(["io.fastsafetensors.api", *automatic])
    else:
        path, native = ["-Djava.class.path=" + options.class_path], "ALL-UNNAMED"
    jvm = Jvm(options.java_home, [*path, "--enable-native-access=" + native, *options.java_option])
    fst = Fst(jvm, options.device)
    free = framework.free_memory(options.device)
    hand_over(fst, framework, options.file, options.seed)
    take_over(fst, framework, options.device)
    fst.loader.call("close", "()V")
    require(fst.deleters.calls == fst.handed, f"{fst.handed} structs, {fst.deleters.calls} deleted")
    missing = free - framework.free_memory(options.device)
    # Both load kernels and open streams on the way, for which the driver keeps memory.
    require(missing < 256 << 20, f"{missing} bytes of {options.device} are still in use")
    print(f"ok: {fst.handed} structs made, each deleted once")


if __name__ == "__main__":
    main()
