#!/bin/sh
# Compiles the shared kernels to the PTX that the jar carries, and checks that it assembles for old and new GPUs. There are
# two files, so that the driver compiles the functions of less common conversions only for who needs them.
#
#   build-ptx.sh [OUTPUT-DIRECTORY]
#
# Needs nvcc, ptxas and sha256sum. The PTX asks for compute capability 7.5 and for PTX ISA 8.0, which every driver from
# CUDA 12.0 on knows; a newer nvcc writes a newer version into its output whether it needs it or not, so the number is
# lowered and ptxas then checks it. The pragma that goes is an optimisation hint of ISA 8.3.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
source=$here/../../../../fst-gpu-common/src/main/resources/io/fastsafetensors/gpu/kernel/fst_kernels.c
output=${1:-$here/../resources/io/fastsafetensors/backend/cuda}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Under its bare name: no path of the build machine gets into the output.
cp "$source" "$work/fst_kernels.c"

# compile PART NAME
compile() {
    flags="-x cu -ptx -arch=compute_75 -diag-suppress 177 -DFST_PART=$1"
    # shellcheck disable=SC2086 # the flags are words
    (cd "$work" && nvcc $flags -o nvcc.ptx fst_kernels.c)
    {
        echo '// The kernels of fst for CUDA. Made by src/main/kernels/build-ptx.sh; do not edit.'
        echo "// source sha256: $(sha256sum < "$source" | cut -d ' ' -f 1)"
        echo "// compiler: nvcc $(nvcc --version | sed -n 's/.*, V//p')"
        echo "// flags: $flags"
        sed -e 's/^\.version .*/.version 8.0/' -e '/\.pragma "used_bytes_mask/d' "$work/nvcc.ptx"
    } > "$work/$2.ptx"
    for arch in sm_75 sm_80 sm_90 sm_100; do
        ptxas -arch=$arch -o "$work/$arch.cubin" "$work/$2.ptx"
    done
}

compile 1 fst_kernels
compile 2 fst_pairs
cp "$work/fst_kernels.ptx" "$work/fst_pairs.ptx" "$output"
