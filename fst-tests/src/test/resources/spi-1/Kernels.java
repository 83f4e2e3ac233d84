package io.fastsafetensors.spi;

import io.fastsafetensors.types.DType;

public interface Kernels {
    boolean supports(DType from, DType to);

    void convert(CopyStream stream, BufferSlice source, DType from, BufferSlice target, DType to, long elements);

    void gather(CopyStream stream, BufferSlice source, DType from, Strided view, BufferSlice target, DType to);
}
