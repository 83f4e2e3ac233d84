package io.fastsafetensors.testkit.fault;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.Consumer;

/// A stream whose work goes through a [WorkQueue]: carried out at the call, or later on the queue's thread. The
/// decorated stream is used by one of the two only. A fence passes when the decorated stream has finished.
final class FaultyStream implements CopyStream {
    /// A thread that owns no memory.
    private static final Thread NOBODY = Thread.ofPlatform().unstarted(() -> {
    });

    private final CopyStream delegate;
    private final String backend;
    private final FaultPlan plan;
    private final OpenObjects objects;
    private final WorkQueue queue;
    private final Runnable closed;

    FaultyStream(CopyStream delegate, String backend, FaultPlan plan, OpenObjects objects) {
        this.delegate = delegate;
        this.backend = backend;
        this.plan = plan;
        this.objects = objects;
        this.queue = new WorkQueue(backend, plan.isDeferred());
        this.closed = plan.once(Operation.CLOSE_STREAM, backend, objects.opened(OpenObjects.Kind.STREAM));
    }

    @Override
    public void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        check(targetOffset, source.byteSize(), target);
        DeviceBuffer real = FaultyBuffer.real(target);
        copy(Operation.COPY_TO_DEVICE, source, () -> delegate.copyToDevice(source, real, targetOffset));
    }

    @Override
    public void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        check(sourceOffset, target.byteSize(), source);
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("the host memory of the copy is read-only");
        }
        DeviceBuffer real = FaultyBuffer.real(source);
        copy(Operation.COPY_TO_HOST, target, () -> delegate.copyToHost(real, sourceOffset, target));
    }

    @Override
    public void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        check(sourceOffset, bytes, source);
        check(targetOffset, bytes, target);
        DeviceBuffer realSource = FaultyBuffer.real(source);
        DeviceBuffer realTarget = FaultyBuffer.real(target);
        submit(Operation.COPY, () -> delegate.copy(realSource, sourceOffset, realTarget, targetOffset, bytes));
    }

    /// Queues a kernel; one with wrong arguments is run at once, so that the decorated backend refuses it.
    void submitKernel(boolean wellFormed, Consumer<CopyStream> kernel) {
        if (!wellFormed) {
            queue.await(queue.mark(delegate::synchronize));
            kernel.accept(delegate);
            return;
        }
        submit(Operation.KERNEL, () -> kernel.accept(delegate));
    }

    @Override
    public Fence fence() {
        plan.before(Operation.FENCE, backend, 0);
        return new FaultyFence(queue, queue.mark(delegate::synchronize), backend, plan,
                plan.once(Operation.CLOSE_FENCE, backend, objects.opened(OpenObjects.Kind.FENCE)));
    }

    @Override
    public void waitFor(Fence fence) {
        if (fence instanceof FaultyFence other) {
            queue.submit(other::awaitWork);
        } else {
            fence.await();
        }
    }

    @Override
    public void synchronize() {
        plan.before(Operation.AWAIT, backend, 0);
        queue.await(queue.mark(delegate::synchronize));
    }

    @Override
    public void close() {
        queue.close();
        delegate.close();
        closed.run();
    }

    /// Queues a copy; one of memory that only this thread may touch is done when the call returns.
    private void copy(Operation operation, MemorySegment host, Runnable copy) {
        if (!host.scope().isAlive()) {
            throw new IllegalStateException("the host memory of the copy is closed");
        }
        if (!host.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("the host memory of the copy belongs to another thread");
        }
        if (host.isAccessibleBy(NOBODY)) {
            submit(operation, copy);
            return;
        }
        queue.await(queue.mark(delegate::synchronize));
        plan.before(operation, backend, 0);
        copy.run();
    }

    private void submit(Operation operation, Runnable work) {
        queue.submit(() -> {
            plan.before(operation, backend, 0);
            work.run();
        });
    }

    private static void check(long offset, long bytes, DeviceBuffer buffer) {
        Objects.checkFromIndexSize(offset, bytes, buffer.byteSize());
    }
}
