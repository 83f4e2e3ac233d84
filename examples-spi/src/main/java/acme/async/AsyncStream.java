package acme.async;

import acme.async.AsyncBackend.Buffer;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import io.fastsafetensors.spi.base.BaseStream;
import io.fastsafetensors.spi.base.Lifetime;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicBoolean;

/// A queue with a thread of its own. A piece of work that fails fails all that follows it, and so every later fence.
final class AsyncStream extends BaseStream {
    private final int device;
    private final ExecutorService thread = Executors
            .newSingleThreadExecutor(Thread.ofPlatform().daemon().name("acme-stream-", 0).factory());
    private CompletableFuture<Void> last = CompletableFuture.completedFuture(null);

    AsyncStream(int device, Lifetime backend) {
        super(backend);
        this.device = device;
    }

    private void submit(Runnable work) {
        last = last.thenRunAsync(work, thread);
    }

    @Override
    protected void toDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        MemorySegment to = Buffer.part(device, target, targetOffset, source.byteSize());
        submit(() -> to.copyFrom(source));
    }

    @Override
    protected void toHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        MemorySegment from = Buffer.part(device, source, sourceOffset, target.byteSize());
        submit(() -> target.copyFrom(from));
    }

    @Override
    protected void within(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset, long bytes) {
        MemorySegment from = Buffer.part(device, source, sourceOffset, bytes);
        MemorySegment to = Buffer.part(device, target, targetOffset, bytes);
        submit(() -> to.copyFrom(from));
    }

    @Override
    public Fence fence() {
        requireOpen();
        return new AsyncFence(last);
    }

    @Override
    public void waitFor(Fence fence) {
        requireOpen();
        if (fence instanceof AsyncFence other) {
            last = last.thenCombine(other.work(), (_, _) -> null);
        } else {
            fence.await();
        }
    }

    @Override
    public void synchronize() {
        requireOpen();
        AsyncFence.await(last);
    }

    @Override
    protected void release() {
        last.handle((_, _) -> null).join();
        thread.close();
    }

    /// Everything that was submitted before it was made.
    private static final class AsyncFence implements Fence {
        private final CompletableFuture<Void> work;
        private final AtomicBoolean closed = new AtomicBoolean();

        AsyncFence(CompletableFuture<Void> work) {
            this.work = work;
        }

        private CompletableFuture<Void> work() {
            if (closed.get()) {
                throw new IllegalStateException("the fence is closed");
            }
            return work;
        }

        @Override
        public boolean isPassed() {
            if (!work().isDone()) {
                return false;
            }
            await(work);
            return true;
        }

        @Override
        public void await() {
            await(work());
        }

        private static void await(CompletableFuture<Void> work) {
            try {
                work.join();
            } catch (CompletionException e) {
                throw new BackendException("a copy failed: " + e.getCause(), Where.backend(AsyncProvider.NAME), e);
            }
        }

        @Override
        public void close() {
            closed.set(true);
        }
    }
}
