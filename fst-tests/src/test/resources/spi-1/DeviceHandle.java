package io.fastsafetensors.types;

public record DeviceHandle(Kind kind, long value, long offset) {
    public enum Kind {
        POINTER,
        CL_MEM
    }

    public static DeviceHandle pointer(long address) {
        return new DeviceHandle(Kind.POINTER, address, 0);
    }

    public DeviceHandle plus(long bytes) {
        return kind == Kind.POINTER ? new DeviceHandle(kind, value + bytes, 0)
                : new DeviceHandle(kind, value, offset + bytes);
    }
}
