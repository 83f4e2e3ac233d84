package io.fastsafetensors.core.dlpack;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.util.Arrays;

/// A tensor that another framework lends.
///
/// Every refusal leaves the struct as it was, so that the caller may hand it to somebody else or delete it. What other
/// libraries write is not believed: pointers are looked at for null and alignment, sizes for overflow.
///
/// @param buffer its memory; until [ForeignBuffer#own()] the struct belongs to the caller
/// @param dtype the element type
/// @param shape the dimensions
/// @param byteSize how many bytes
public record ImportedTensor(ForeignBuffer buffer, DType dtype, Shape shape, long byteSize) {
    private static final Where WHERE = Where.nowhere();

    /// Reads and judges a struct, and changes nothing.
    ///
    /// @param address the struct
    /// @param device where the tensor must be
    /// @param pointers whether the device's memory has addresses
    /// @throws IllegalArgumentException if the struct is broken
    /// @throws UnsupportedFeatureException if it is a tensor that fst cannot take, or if native access is denied
    public static ImportedTensor read(long address, DlpackVersion version, DeviceInfo device, boolean pointers) {
        if (address == 0 || address % Long.BYTES != 0) {
            throw broken("there is no struct at address 0x" + Long.toHexString(address));
        }
        NativeAccess.require("DLPack");
        try (Arena arena = Arena.ofConfined()) {
            return read(ManagedTensor.at(address, version, arena), version, device, pointers);
        } catch (ArithmeticException e) {
            throw new IllegalArgumentException("the DLPack tensor is too large: " + e.getMessage(), e);
        }
    }

    private static ImportedTensor read(ManagedTensor struct, DlpackVersion version, DeviceInfo device,
            boolean pointers) {
        if (version == DlpackVersion.VERSIONED && struct.major() != ManagedTensor.MAJOR) {
            throw unsupported("the DLPack struct is of version " + struct.major() + "." + struct.minor()
                    + ", and only " + ManagedTensor.MAJOR + ".x is known");
        }
        if (!pointers || !DeviceType.fits(device, struct.deviceType(), struct.deviceId())) {
            throw unsupported("the DLPack tensor is on " + DeviceType.describe(struct.deviceType(), struct.deviceId())
                    + " and this loader for " + device.device() + "; a loader takes tensors of its own device: "
                    + (pointers ? DeviceType.accepted(device) : "none, since its memory has no addresses"));
        }
        DlpackElements elements = elements(struct);
        DType dtype = elements.dtype().orElseThrow(
                () -> unsupported("the DLPack tensor's dtype (" + elements.type() + ") has no equal here"));
        if (dtype.isSubByte() && (struct.flags() & ManagedTensor.FLAG_SUBBYTE_PADDED) != 0) {
            throw unsupported("the DLPack tensor's " + dtype + " elements are padded to bytes, and not packed");
        }
        Shape shape = elements.lanes();
        long bytes = byteSize(dtype, shape);
        requireContiguous(struct, elements);
        long first = bytes == 0 ? 0 : first(struct, dtype);
        boolean readOnly = (struct.flags() & ManagedTensor.FLAG_READ_ONLY) != 0;
        return new ImportedTensor(new ForeignBuffer(first, bytes, device.device().isCpu(), readOnly, struct.address(),
                struct.deleter()), dtype, shape, bytes);
    }

    /// Dimensions and type as they are said, before anything is computed with them.
    private static DlpackElements elements(ManagedTensor struct) {
        int ndim = struct.ndim();
        if (ndim < 0 || (ndim > 0 && !struct.hasShape())) {
            throw broken("the DLPack tensor has " + ndim + " dimensions" + (ndim < 0 ? "" : " and no shape"));
        }
        return new DlpackElements(struct.dtype(), ndim == 0 ? Shape.of() : Shape.of(struct.shape()));
    }

    /// Elements that end inside a byte cannot be told apart from padding.
    private static long byteSize(DType dtype, Shape shape) {
        long elements = shape.elements();
        if (Math.multiplyExact(elements, (long) dtype.bits()) % Byte.SIZE != 0) {
            throw unsupported("the DLPack tensor's " + elements + " elements of " + dtype
                    + " do not fill whole bytes");
        }
        return dtype.byteSize(elements);
    }

    /// Strides may be missing before DLPack 1.2: then it is contiguous.
    private static void requireContiguous(ManagedTensor struct, DlpackElements elements) {
        if (struct.ndim() > 0 && struct.hasStrides()) {
            long[] strides = struct.strides();
            if (!elements.isContiguous(strides)) {
                throw unsupported("the DLPack tensor of shape " + elements.shape() + " has the strides "
                        + Arrays.toString(strides) + "; only row-major ones without gaps can be taken: "
                        + Arrays.toString(elements.strides()) + ". Make it contiguous first");
            }
        }
    }

    /// The address of the first element. Kernels assume the alignment of the dtype.
    private static long first(ManagedTensor struct, DType dtype) {
        if (struct.data() == 0) {
            throw broken("the DLPack tensor has elements and no data");
        }
        long first = struct.data() + struct.byteOffset();
        if (first % dtype.alignment() != 0) {
            throw unsupported("the DLPack tensor's data at 0x" + Long.toHexString(first)
                    + " are not aligned to its " + dtype + " elements; copy it first");
        }
        return first;
    }

    private static IllegalArgumentException broken(String how) {
        return new IllegalArgumentException(how);
    }

    private static UnsupportedFeatureException unsupported(String how) {
        return new UnsupportedFeatureException(how + "; it stays with its owner", WHERE);
    }
}
