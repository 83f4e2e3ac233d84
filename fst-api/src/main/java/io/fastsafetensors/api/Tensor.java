package io.fastsafetensors.api;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;

/// A contiguous, row-major tensor in the memory of one device: a view of a buffer that others may share. Its bytes are
/// there.
///
/// A tensor lives in the scope it came from: the [Weights], or the detached tensor it was derived from. When the scope
/// or the tensor itself is closed, every method but [#close()] and [#isClosed()] throws [IllegalStateException]; when
/// the scope is closed or the memory goes back, so does every access to a segment that was given out. Thread-safe,
/// except that writing into the memory is the caller's own business.
///
/// ```java
/// float[] values = tensor.toFloatArray();                     // a copy, converted
/// FloatBuffer same = tensor.asByteBuffer().asFloatBuffer();   // the memory itself
/// Tensor row = tensor.slice(Slice.at(-1));
/// Tensor wide = tensor.to(DType.F32);
/// ```
public interface Tensor extends AutoCloseable {
    /// The name in the checkpoint; derived tensors keep it.
    String name();

    /// The element type.
    DType dtype();

    /// The dimensions.
    Shape shape();

    /// How many bytes.
    long byteSize();

    /// Where it is.
    Device device();

    /// The pointer or object of the first byte. Hold [#pin()] while native code uses it.
    DeviceHandle handle();

    /// The pointer of the first byte. Hold [#pin()] while native code uses it.
    ///
    /// @throws UnsupportedFeatureException where the device has no pointers (OpenCL)
    long address();

    /// Whether [#segment()] works: CPU and unified memory.
    boolean isHostAddressable();

    /// The bytes. Where native access is denied they may be reached a little longer: until the memory goes back. Little-endian; aligned to the element unless the file was loaded unaligned on purpose. For a
    /// `ByteBuffer` view take slices of less than 2 GiB.
    ///
    /// Read-only where the tensor lies in a mapping of its file ([TransferPath#MAPPED] on the CPU). If that file is cut, an access to
    /// what it has lost is an [InternalError].
    ///
    /// @throws UnsupportedFeatureException if the host cannot address the memory
    MemorySegment segment();

    /// The bytes as a little-endian buffer over the same memory, without a copy: `asByteBuffer().asFloatBuffer()` are the
    /// elements of an F32 tensor. It is valid as long as [#segment()] is.
    ///
    /// @throws UnsupportedFeatureException if the host cannot address the memory, or it is larger than a buffer can be
    ///         (2 GiB): take a slice, or [#segment()]
    default ByteBuffer asByteBuffer() {
        return Values.buffer(this);
    }

    /// The elements in row-major order as floats, from whatever device. Another dtype is converted as [#to(DType)] F32
    /// does, bit for bit.
    ///
    /// @throws UnsupportedFeatureException if there are more elements than an array can have (slice the tensor, or use
    ///         [#segment()] or [#copyTo(MemorySegment)]), or the dtype is C64 (use [#asByteBuffer()])
    default float[] toFloatArray() {
        return Values.floats(this);
    }

    /// The elements in row-major order as doubles; as [#toFloatArray()], by way of F64.
    ///
    /// @throws UnsupportedFeatureException as [#toFloatArray()]
    default double[] toDoubleArray() {
        return Values.doubles(this);
    }

    /// The elements in row-major order as longs; as [#toFloatArray()], by way of I64: what does not fit (a large U64, a
    /// large float) is the nearest long.
    ///
    /// @throws UnsupportedFeatureException as [#toFloatArray()]
    default long[] toLongArray() {
        return Values.longs(this);
    }

    /// The elements in row-major order as ints; as [#toFloatArray()], by way of I32: what does not fit is the nearest int.
    ///
    /// @throws UnsupportedFeatureException as [#toFloatArray()]
    default int[] toIntArray() {
        return Values.ints(this);
    }

    /// The elements in row-major order as shorts; as [#toFloatArray()], by way of I16: what does not fit is the nearest
    /// short. The bits of F16, BF16 and U16 are in [#toByteArray()] and [#asByteBuffer()].
    ///
    /// @throws UnsupportedFeatureException as [#toFloatArray()]
    default short[] toShortArray() {
        return Values.shorts(this);
    }

    /// The tensor's bytes as they are, little-endian, whatever the dtype, from whatever device. Nothing is converted: an
    /// element of U8 over 127 is a negative byte.
    ///
    /// @throws UnsupportedFeatureException if there are more bytes than an array can have: slice the tensor, or use
    ///         [#segment()] or [#copyTo(MemorySegment)]
    default byte[] toByteArray() {
        return Values.bytes(this);
    }

    /// Copies the bytes to host memory, from whatever device.
    ///
    /// @param target exactly [#byteSize()] bytes; native memory, or an array's
    /// @throws IllegalArgumentException if the size differs
    void copyTo(MemorySegment target);

    /// Keeps the memory alive for native code.
    Pin pin();

    /// Keeps the memory until work on a stream of the program's own has passed: whatever was submitted to it before this
    /// call. For a consumer whose kernels or copies read the tensor without the host waiting for them, as every consumer
    /// of a [TensorStream] does: its memory is filled with later tensors, and that of a closed load goes back to the
    /// device. Without it the consumer waits for its stream before it closes the tensor or asks for the next one. Call it
    /// after the work is submitted, once for each stream. Who gives the memory back waits for that work. (PyTorch calls
    /// this `record_stream`.)
    ///
    /// The other way needs nothing: a tensor's bytes are there when it is handed out, whichever stream reads them. What
    /// the program's own stream writes into a tensor is waited for by the program before it asks fst to read it.
    ///
    /// @param nativeStream the stream's handle in the device's own API (`CUstream`, `cudaStream_t`, `hipStream_t`); 0 for
    ///        its default stream. Without meaning in host memory
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException where the backend knows no such handles (OpenCL)
    /// @throws io.fastsafetensors.error.BackendException if the device does not take the handle
    void releaseAfter(long nativeStream);

    /// A part of the tensor: one slice for each of the first dimensions, the rest whole. A contiguous part is a view,
    /// any other is gathered on the device into memory of its own.
    ///
    /// @throws io.fastsafetensors.error.SliceException if it does not fit, or cuts a sub-byte element's byte
    Tensor slice(Slice... slices);

    /// This tensor in another dtype, in memory of its own; itself if the dtype is the same.
    ///
    /// @throws UnsupportedFeatureException for a pair that is not converted (C64)
    Tensor to(DType dtype);

    /// This tensor on another device, in memory of its own; itself if the device is the same. The best backend of that
    /// device is taken. Lives in this tensor's scope.
    ///
    /// @throws io.fastsafetensors.error.BackendUnavailableException if no backend serves the device
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if it has no room
    Tensor to(Device device);

    /// A tensor of the same memory that outlives the scope: the caller owns it, and what is derived from it lives in
    /// its scope. This tensor stays as it is. It keeps the buffer that it shares: for a tensor as loaded that is its
    /// file's, for a converted or gathered one its own.
    Tensor detach();

    /// Hands the tensor to another framework through DLPack, without a copy. The memory stays alive until the consumer
    /// calls the deleter, whatever is closed meanwhile. The bytes are there: no stream needs to be waited for.
    ///
    /// `data` is the tensor's first byte and `byte_offset` 0, but on OpenCL, where they are the `cl_mem` and the offset
    /// in it; `data` is null if there are no elements. Strides are always given. The device's number is ours, which is
    /// CUDA's and HIP's own.
    ///
    /// | dtype | versioned struct | legacy struct |
    /// |---|---|---|
    /// | BOOL, U8 … U64, I8 … I64, F16, F32, F64, BF16, C64 | the same | the same |
    /// | F8_* | its `kDLFloat8_*` | bytes (`kDLUInt`, 8 bits) |
    /// | F6_E2M3, F6_E3M2 | its `kDLFloat6_*`, 6 bits, packed | bytes |
    /// | F4 | `kDLFloat4_e2m1fn`, 4 bits, packed, in pairs | bytes |
    ///
    /// F4 in pairs is PyTorch's `float4_e2m1fn_x2`: 2 lanes, and the innermost dimension halved; where that is odd it
    /// goes singly, 1 lane. As bytes, the innermost dimension of F6 and F4 counts bytes where it fills whole ones; else
    /// the shape is one dimension of all bytes.
    ///
    /// @throws UnsupportedFeatureException if DLPack does not know the device, the memory is
    ///         read-only and the struct the legacy one, or native access is denied
    Dlpack toDlpack(DlpackVersion version);

    /// Whether it, or its scope, is closed.
    boolean isClosed();

    /// Closes this tensor. Its memory is freed when nobody else uses it. Idempotent, from any thread, at any moment: a call
    /// that runs already goes on with the memory, or throws [IllegalStateException].
    ///
    /// @throws RuntimeException what the backend cannot free, once
    @Override
    void close();
}
