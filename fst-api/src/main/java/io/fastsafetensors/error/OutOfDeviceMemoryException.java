package io.fastsafetensors.error;

import java.io.Serial;

/// The device (or the host, for page-locked and CPU memory) has not enough memory left.
public final class OutOfDeviceMemoryException extends BackendException {
    @Serial
    private static final long serialVersionUID = 1L;

    private final long requested;
    private final long free;
    private final String limit;

    /// @param requested the bytes asked for
    /// @param free the bytes the device says are free, −1 if it does not say
    /// @param where the backend
    public OutOfDeviceMemoryException(long requested, long free, Where where) {
        this(requested, free, "", where);
    }

    /// As above, with the limit that was met where it is another one than the free memory.
    ///
    /// @param limit the limit and its value in words
    public OutOfDeviceMemoryException(long requested, long free, String limit, Where where) {
        super("out of memory: " + requested + " bytes requested, " + (free < 0 ? "free unknown" : free + " free")
                + (limit.isEmpty() ? "" : "; " + limit)
                + "; load fewer tensors (selection), a smaller dtype, or set a budget", where);
        this.requested = requested;
        this.free = free;
        this.limit = limit;
    }

    /// The bytes asked for.
    public long requested() {
        return requested;
    }

    /// The bytes that were free, −1 if unknown.
    public long free() {
        return free;
    }

    /// The limit that was met, in words; empty if it is the free memory.
    public String limit() {
        return limit;
    }

    private OutOfDeviceMemoryException(OutOfDeviceMemoryException original) {
        super(original);
        this.requested = original.requested;
        this.free = original.free;
        this.limit = original.limit;
    }

    @Override
    public OutOfDeviceMemoryException copy() {
        return new OutOfDeviceMemoryException(this);
    }
}
