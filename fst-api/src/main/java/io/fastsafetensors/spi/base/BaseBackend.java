package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.kernel.FallbackKernels;
import org.jspecify.annotations.Nullable;

/// A backend that checks what it is asked for, tracks what is open and closes it in order, so that a subclass takes memory
/// and opens streams only. Its staging memory is plain memory of the host, and every pair of dtypes is converted, on the
/// host where [#ownKernels()] do not: override what the device does better.
///
/// A provider of such a backend claims [io.fastsafetensors.spi.Capability#KERNELS].
public abstract class BaseBackend implements Backend {
    private final String name;
    private final DeviceInfo info;
    private final Lifetime lifetime;
    private @Nullable Kernels kernels;

    /// @param name the provider's name
    /// @param info the device
    @SuppressWarnings("this-escape") // Only a method to call when it is closed.
    protected BaseBackend(String name, DeviceInfo info) {
        this.name = name;
        this.info = info;
        this.lifetime = Lifetime.of("the " + name + " backend", this::release);
    }

    /// What everything that this backend opens is opened in.
    protected final Lifetime lifetime() {
        return lifetime;
    }

    /// Takes device memory; as [#allocate], with arguments that were checked, while the backend is open.
    ///
    /// @return such as a [BaseBuffer] with a lifetime of [Lifetime#memory] in that of this backend
    protected abstract DeviceBuffer newBuffer(long bytes, long alignment);

    /// Opens a stream, while the backend is open.
    ///
    /// @return such as a subclass of [BaseStream]
    protected abstract CopyStream newStream();

    /// Takes staging memory, while the backend is open: plain memory of the host unless it is overridden.
    protected StagingBuffer newStaging(long bytes) {
        return BaseStaging.onHost(bytes, lifetime, name);
    }

    /// The kernels that the device has, asked for once; what they do not support is done on the host. Null for none.
    protected @Nullable Kernels ownKernels() {
        return null;
    }

    /// Frees what the backend itself holds, after everything that was opened in it. Called once; does nothing unless it is
    /// overridden.
    protected void release() {
    }

    @Override
    public final String name() {
        return name;
    }

    @Override
    public DeviceInfo info() {
        return info;
    }

    @Override
    public final DeviceBuffer allocate(long bytes, long alignment) {
        if (bytes < 0 || alignment < 1 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException(
                    "cannot allocate " + bytes + " bytes at a multiple of " + alignment + ": no size or power of two");
        }
        return lifetime.using(() -> newBuffer(bytes, alignment));
    }

    @Override
    public final StagingBuffer allocateStaging(long bytes) {
        if (bytes < 0) {
            throw new IllegalArgumentException("cannot allocate " + bytes + " bytes of staging memory");
        }
        return lifetime.using(() -> newStaging(bytes));
    }

    @Override
    public final CopyStream openCopyStream() {
        return lifetime.using(this::newStream);
    }

    @Override
    public final synchronized Kernels kernels() {
        lifetime.requireOpen();
        Kernels made = kernels;
        if (made == null) {
            made = new FallbackKernels(this::allocateStaging, ownKernels());
            kernels = made;
        }
        return made;
    }

    /// Closes what is still open here, streams before memory, then the backend itself.
    ///
    /// @throws StillInUseException if some memory is in use by a native call; a later close tries again
    @Override
    public final void close() {
        lifetime.close();
    }
}
