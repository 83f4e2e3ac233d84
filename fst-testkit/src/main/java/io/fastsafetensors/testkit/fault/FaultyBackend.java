package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.MemoryInfo;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.spi.TransferHints;
import io.fastsafetensors.spi.base.ForwardingBackend;
import io.fastsafetensors.spi.base.ForwardingFence;
import io.fastsafetensors.spi.base.ForwardingRegistration;
import io.fastsafetensors.spi.base.ForwardingStaging;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/// A backend that fails, waits and counts as its [FaultPlan] says, and otherwise does what the decorated one does.
/// Closing it closes the decorated one. Threads: as the SPI asks.
public final class FaultyBackend extends ForwardingBackend {
    private final FaultPlan plan;
    private final OpenObjects objects;
    private final Runnable closed;

    /// Decorates an open backend.
    ///
    /// @param delegate the backend that does the work; closed with this one
    /// @param plan what goes wrong
    /// @param objects where open objects are counted
    public FaultyBackend(Backend delegate, FaultPlan plan, OpenObjects objects) {
        super(delegate);
        this.plan = plan;
        this.objects = objects;
        this.closed = plan.once(Operation.CLOSE_BACKEND, name(), objects.opened(OpenObjects.Kind.BACKEND));
    }

    @Override
    public TransferHints hints() {
        TransferHints hints = super.hints();
        return plan.isDeferred() ? new TransferHints(hints.tensorAlignment(), hints.blockBytes(), hints.readers(),
                Math.max(2, hints.slotsPerReader())) : hints;
    }

    @Override
    public MemoryInfo memory() {
        plan.before(Operation.MEMORY, name(), 0);
        return super.memory();
    }

    @Override
    public DeviceBuffer allocate(long bytes, long alignment) {
        plan.before(Operation.ALLOCATE, name(), bytes);
        DeviceBuffer buffer = super.allocate(bytes, alignment);
        Runnable freed = objects.opened(OpenObjects.Kind.BUFFER);
        return new FaultyBuffer(this, buffer, plan.isRemote(), plan.once(Operation.CLOSE_BUFFER, name(), freed));
    }

    @Override
    public StagingBuffer allocateStaging(long bytes) {
        plan.before(Operation.ALLOCATE_STAGING, name(), bytes);
        StagingBuffer staging = super.allocateStaging(bytes);
        Runnable staged = plan.once(Operation.CLOSE_STAGING, name(), objects.opened(OpenObjects.Kind.STAGING));
        return new ForwardingStaging(staging) {
            @Override
            public void close() {
                super.close();
                staged.run();
            }
        };
    }

    @Override
    public CopyStream openCopyStream() {
        plan.before(Operation.OPEN_STREAM, name(), 0);
        CopyStream stream = delegate().openCopyStream();
        return new FaultyStream(stream, name(), plan, objects);
    }

    @Override
    public Fence fenceBehind(long nativeStream) {
        plan.before(Operation.FENCE, name(), 0);
        Fence fence = super.fenceBehind(nativeStream);
        Runnable ended = objects.opened(OpenObjects.Kind.FENCE);
        return new ForwardingFence(this, fence) {
            @Override
            public void await() {
                plan.before(Operation.AWAIT, name(), 0);
                super.await();
            }

            @Override
            public void close() {
                super.close();
                ended.run();
            }
        };
    }

    @Override
    public Kernels kernels() {
        return new FaultyKernels(delegate().kernels());
    }

    @Override
    public Optional<DirectStorage> directStorage() {
        return delegate().directStorage().map(storage -> new FaultyStorage(storage, name(), plan, objects));
    }

    @Override
    public Optional<HostRegistration> registerHost(MemorySegment memory, boolean readOnly) {
        plan.before(Operation.REGISTER_HOST, name(), memory.byteSize());
        return super.registerHost(memory, readOnly).map(registration -> {
            Runnable unregistered = plan.once(Operation.CLOSE_REGISTRATION, name(),
                    objects.opened(OpenObjects.Kind.REGISTRATION));
            return new ForwardingRegistration(registration) {
                @Override
                public void close() {
                    super.close();
                    unregistered.run();
                }
            };
        });
    }

    @Override
    public void close() {
        super.close();
        closed.run();
    }
}
