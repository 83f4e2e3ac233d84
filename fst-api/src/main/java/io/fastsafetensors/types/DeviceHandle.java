package io.fastsafetensors.types;

import java.util.Objects;

/// How native code finds bytes on a device: a pointer, or an object and an offset where the runtime has no pointers.
///
/// @param kind what `value` is
/// @param value the pointer, or the object
/// @param offset bytes to add inside the object; always 0 for a pointer
public record DeviceHandle(Kind kind, long value, long offset) {
    /// What the value of a handle is. The set is open: a backend names its own kind.
    ///
    /// @param name one word, such as `CL_MEM`, by which kinds are compared
    public record Kind(String name) {
        /// An address in the device's (or the host's) address space.
        public static final Kind POINTER = new Kind("POINTER");
        /// An OpenCL `cl_mem`.
        public static final Kind CL_MEM = new Kind("CL_MEM");

        /// @throws IllegalArgumentException if the name is blank
        public Kind {
            if (name.isBlank()) {
                throw new IllegalArgumentException("a kind of handle without a name");
            }
        }

        @Override
        public String toString() {
            return name;
        }
    }

    /// @throws IllegalArgumentException if a pointer has an offset
    public DeviceHandle {
        Objects.requireNonNull(kind, "kind");
        if (kind.equals(Kind.POINTER) && offset != 0) {
            throw new IllegalArgumentException("a pointer with an offset of " + offset);
        }
    }

    /// A pointer.
    public static DeviceHandle pointer(long address) {
        return new DeviceHandle(Kind.POINTER, address, 0);
    }

    /// An object of a runtime that has no pointers.
    ///
    /// @param kind what it is
    /// @param object its handle in that runtime
    public static DeviceHandle object(Kind kind, long object) {
        return new DeviceHandle(kind, object, 0);
    }

    /// Whether the value is an address.
    public boolean isPointer() {
        return kind.equals(Kind.POINTER);
    }

    /// The same memory, `bytes` further.
    public DeviceHandle plus(long bytes) {
        return isPointer() ? pointer(value + bytes) : new DeviceHandle(kind, value, offset + bytes);
    }
}
