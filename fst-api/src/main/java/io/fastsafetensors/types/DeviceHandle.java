package io.fastsafetensors.types;

/// A reference to bytes on a device for native code: a pointer, or an object and an offset where the runtime has no
/// pointers.
///
/// @param kind what `value` is
/// @param value the pointer, or the object
/// @param offset bytes to add inside the object; always 0 for a pointer
public record DeviceHandle(Kind kind, long value, long offset) {
    /// The meaning of a handle's value.
    public enum Kind {
        /// An address in the device's (or the host's) address space.
        POINTER,
        /// An OpenCL `cl_mem`.
        CL_MEM
    }

    /// A pointer.
    public static DeviceHandle pointer(long address) {
        return new DeviceHandle(Kind.POINTER, address, 0);
    }

    /// The same memory, `bytes` further.
    public DeviceHandle plus(long bytes) {
        return kind == Kind.POINTER ? new DeviceHandle(kind, value + bytes, 0)
                : new DeviceHandle(kind, value, offset + bytes);
    }
}
