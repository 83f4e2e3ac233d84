package io.fastsafetensors.core.dlpack;

import static java.lang.foreign.MemoryLayout.PathElement.groupElement;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.core.dlpack.DlpackElements.DataType;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;

/// One of the two structs of DLPack (`dlpack.h`, 1.x) in native memory, as laid out on 64-bit machines. Plain reads and
/// writes; judges nothing, so that reading a struct of another library's comes before believing any of it. Not
/// thread-safe; valid for as long as the arena that it was made with.
final class ManagedTensor {
    /// A struct of another major version has another layout, of which nothing is known.
    static final int MAJOR = 1;
    /// The first version with the codes of floats smaller than 16 bits.
    static final int MINOR = 1;

    /// `DLPACK_FLAG_BITMASK_READ_ONLY`: consumers must not write.
    static final long FLAG_READ_ONLY = 1;
    /// `DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED`: each element smaller than a byte has a byte.
    static final long FLAG_SUBBYTE_PADDED = 1 << 2;

    /// `DLTensor`: pointer and byte offset are apart, since some devices' handles cannot be added to.
    static final StructLayout DL_TENSOR = MemoryLayout.structLayout(JAVA_LONG.withName("data"),
            JAVA_INT.withName("device_type"), JAVA_INT.withName("device_id"), JAVA_INT.withName("ndim"),
            JAVA_BYTE.withName("code"), JAVA_BYTE.withName("bits"), JAVA_SHORT.withName("lanes"),
            JAVA_LONG.withName("shape"), JAVA_LONG.withName("strides"), JAVA_LONG.withName("byte_offset"));
    /// `DLManagedTensor`, the legacy struct: no version, no flags.
    static final StructLayout DL_MANAGED_TENSOR = MemoryLayout.structLayout(DL_TENSOR.withName("dl_tensor"),
            JAVA_LONG.withName("manager_ctx"), JAVA_LONG.withName("deleter"));
    /// `DLManagedTensorVersioned`: the tensor comes last, behind what will never move.
    static final StructLayout DL_MANAGED_TENSOR_VERSIONED = MemoryLayout.structLayout(JAVA_INT.withName("major"),
            JAVA_INT.withName("minor"), JAVA_LONG.withName("manager_ctx"), JAVA_LONG.withName("deleter"),
            JAVA_LONG.withName("flags"), DL_TENSOR.withName("dl_tensor"));

    private static final long DATA = offset(DL_TENSOR, "data");
    private static final long DEVICE_TYPE = offset(DL_TENSOR, "device_type");
    private static final long DEVICE_ID = offset(DL_TENSOR, "device_id");
    private static final long NDIM = offset(DL_TENSOR, "ndim");
    private static final long CODE = offset(DL_TENSOR, "code");
    private static final long BITS = offset(DL_TENSOR, "bits");
    private static final long LANES = offset(DL_TENSOR, "lanes");
    private static final long SHAPE = offset(DL_TENSOR, "shape");
    private static final long STRIDES = offset(DL_TENSOR, "strides");
    private static final long BYTE_OFFSET = offset(DL_TENSOR, "byte_offset");
    private static final long MAJOR_AT = offset(DL_MANAGED_TENSOR_VERSIONED, "major");
    private static final long MINOR_AT = offset(DL_MANAGED_TENSOR_VERSIONED, "minor");
    private static final long FLAGS = offset(DL_MANAGED_TENSOR_VERSIONED, "flags");

    private final DlpackVersion version;
    private final StructLayout layout;
    private final MemorySegment struct;
    /// Where the `DLTensor` begins in the struct.
    private final long tensor;

    private ManagedTensor(DlpackVersion version, MemorySegment struct) {
        this.version = version;
        this.layout = layout(version);
        this.struct = struct;
        this.tensor = offset(layout, "dl_tensor");
    }

    private static StructLayout layout(DlpackVersion version) {
        return switch (version) {
            case LEGACY -> DL_MANAGED_TENSOR;
            case VERSIONED -> DL_MANAGED_TENSOR_VERSIONED;
        };
    }

    private static long offset(StructLayout layout, String member) {
        return layout.byteOffset(groupElement(member));
    }

    /// A struct of zeros, of this version of DLPack, and behind it room for shape and strides, to which it points.
    static ManagedTensor allocate(DlpackVersion version, int ndim, Arena arena) {
        long size = layout(version).byteSize();
        // A scalar gets pointers too, to nothing: there are consumers that want them.
        MemorySegment memory = arena.allocate(size + 2 * JAVA_LONG.byteSize() * Math.max(1, ndim),
                JAVA_LONG.byteSize());
        ManagedTensor result = new ManagedTensor(version, memory);
        if (version == DlpackVersion.VERSIONED) {
            memory.set(JAVA_INT, MAJOR_AT, MAJOR);
            memory.set(JAVA_INT, MINOR_AT, MINOR);
        }
        memory.set(JAVA_INT, result.tensor + NDIM, ndim);
        memory.set(JAVA_LONG, result.tensor + SHAPE, memory.address() + size);
        memory.set(JAVA_LONG, result.tensor + STRIDES, memory.address() + size + ndim * JAVA_LONG.byteSize());
        return result;
    }

    /// A struct that another library made.
    ///
    /// @param arena how long this is used
    static ManagedTensor at(long address, DlpackVersion version, Arena arena) {
        return new ManagedTensor(version, RawMemory.view(address, layout(version).byteSize(), arena));
    }

    long address() {
        return struct.address();
    }

    /// The major version; 0 for the struct that has none.
    int major() {
        return version == DlpackVersion.LEGACY ? 0 : struct.get(JAVA_INT, MAJOR_AT);
    }

    int minor() {
        return version == DlpackVersion.LEGACY ? 0 : struct.get(JAVA_INT, MINOR_AT);
    }

    /// The flags; none for the struct that has none.
    long flags() {
        return version == DlpackVersion.LEGACY ? 0 : struct.get(JAVA_LONG, FLAGS);
    }

    /// @throws IllegalStateException for the struct that has no flags
    void flags(long flags) {
        if (version == DlpackVersion.LEGACY) {
            throw new IllegalStateException("DLManagedTensor has no flags");
        }
        struct.set(JAVA_LONG, FLAGS, flags);
    }

    /// The function pointer, or 0.
    long deleter() {
        return struct.get(JAVA_LONG, offset(layout, "deleter"));
    }

    void deleter(long function) {
        struct.set(JAVA_LONG, offset(layout, "deleter"), function);
    }

    long data() {
        return struct.get(JAVA_LONG, tensor + DATA);
    }

    long byteOffset() {
        return struct.get(JAVA_LONG, tensor + BYTE_OFFSET);
    }

    void data(long pointer, long byteOffset) {
        struct.set(JAVA_LONG, tensor + DATA, pointer);
        struct.set(JAVA_LONG, tensor + BYTE_OFFSET, byteOffset);
    }

    int deviceType() {
        return struct.get(JAVA_INT, tensor + DEVICE_TYPE);
    }

    int deviceId() {
        return struct.get(JAVA_INT, tensor + DEVICE_ID);
    }

    void device(int type, int id) {
        struct.set(JAVA_INT, tensor + DEVICE_TYPE, type);
        struct.set(JAVA_INT, tensor + DEVICE_ID, id);
    }

    DataType dtype() {
        return new DataType(Byte.toUnsignedInt(struct.get(JAVA_BYTE, tensor + CODE)),
                Byte.toUnsignedInt(struct.get(JAVA_BYTE, tensor + BITS)),
                Short.toUnsignedInt(struct.get(JAVA_SHORT, tensor + LANES)));
    }

    void dtype(DataType dtype) {
        struct.set(JAVA_BYTE, tensor + CODE, (byte) dtype.code());
        struct.set(JAVA_BYTE, tensor + BITS, (byte) dtype.bits());
        struct.set(JAVA_SHORT, tensor + LANES, (short) dtype.lanes());
    }

    int ndim() {
        return struct.get(JAVA_INT, tensor + NDIM);
    }

    boolean hasShape() {
        return struct.get(JAVA_LONG, tensor + SHAPE) != 0;
    }

    boolean hasStrides() {
        return struct.get(JAVA_LONG, tensor + STRIDES) != 0;
    }

    long[] shape() {
        return read(SHAPE);
    }

    long[] strides() {
        return read(STRIDES);
    }

    /// Copies: what a consumer does to the struct later is not seen.
    private long[] read(long pointer) {
        try (Arena arena = Arena.ofConfined()) {
            return array(pointer, arena).toArray(JAVA_LONG);
        }
    }

    /// Writes into the room that [#allocate] made.
    void shape(long[] shape, long[] strides) {
        try (Arena arena = Arena.ofConfined()) {
            array(SHAPE, arena).copyFrom(MemorySegment.ofArray(shape));
            array(STRIDES, arena).copyFrom(MemorySegment.ofArray(strides));
        }
    }

    private MemorySegment array(long pointer, Arena arena) {
        return RawMemory.view(struct.get(JAVA_LONG, tensor + pointer), ndim() * JAVA_LONG.byteSize(), arena);
    }
}
