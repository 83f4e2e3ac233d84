package io.fastsafetensors.spi.base;

import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Fence;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/// A copy stream that checks what it is asked for, so that a subclass copies only: of a stream and buffers that are open,
/// within their sizes, more than nothing, from and to memory that every thread may access. Arrays, and memory that only the
/// calling thread may access, pass through native memory in pieces, and are copied when the call returns.
///
/// As it is, a stream does its work on the calling thread: it has nothing to wait for, and its fences have passed. A
/// subclass whose device works beside the caller overrides [#fence()], [#synchronize()] and [#waitFor(Fence)] too, and
/// begins them with [#requireOpen()].
public abstract class BaseStream implements CopyStream {
    /// A thread that owns no memory.
    private static final Thread NOBODY = Thread.ofPlatform().unstarted(() -> {
    });
    private static final long PIECE = 1 << 20;

    private final Lifetime lifetime;

    /// @param backend the backend's lifetime, with which the stream is closed at the latest
    @SuppressWarnings("this-escape") // Only a method to call when it is closed.
    protected BaseStream(Lifetime backend) {
        this.lifetime = backend.work("the copy stream", this::release);
    }

    /// Copies host memory to the device; as [#copyToDevice], with arguments that were checked.
    protected abstract void toDevice(MemorySegment source, DeviceBuffer target, long targetOffset);

    /// Copies device memory to the host; as [#copyToHost], with arguments that were checked.
    protected abstract void toHost(DeviceBuffer source, long sourceOffset, MemorySegment target);

    /// Copies within the device; as [#copy], with arguments that were checked.
    protected abstract void within(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset,
            long bytes);

    /// Waits for submitted work and frees the stream; called once. Does nothing unless it is overridden.
    protected void release() {
    }

    /// Lets an open stream pass.
    ///
    /// @throws IllegalStateException once the stream is closed
    protected final void requireOpen() {
        lifetime.requireOpen();
    }

    @Override
    public final void copyToDevice(MemorySegment source, DeviceBuffer target, long targetOffset) {
        requireOpen();
        long bytes = source.byteSize();
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        requireAccess(source);
        if (isShared(source)) {
            if (bytes > 0) {
                toDevice(source, target, targetOffset);
            }
            return;
        }
        inPieces(bytes, (piece, at) -> {
            piece.copyFrom(source.asSlice(at, piece.byteSize()));
            toDevice(piece, target, targetOffset + at);
            synchronize();
        });
    }

    @Override
    public final void copyToHost(DeviceBuffer source, long sourceOffset, MemorySegment target) {
        requireOpen();
        long bytes = target.byteSize();
        Objects.checkFromIndexSize(sourceOffset, bytes, source.byteSize());
        requireAccess(target);
        if (target.isReadOnly()) {
            throw new IllegalArgumentException("the host memory to copy to is read-only: " + target);
        }
        if (isShared(target)) {
            if (bytes > 0) {
                toHost(source, sourceOffset, target);
            }
            return;
        }
        inPieces(bytes, (piece, at) -> {
            toHost(source, sourceOffset + at, piece);
            synchronize();
            target.asSlice(at, piece.byteSize()).copyFrom(piece);
        });
    }

    @Override
    public final void copy(DeviceBuffer source, long sourceOffset, DeviceBuffer target, long targetOffset,
            long bytes) {
        requireOpen();
        Objects.checkFromIndexSize(sourceOffset, bytes, source.byteSize());
        Objects.checkFromIndexSize(targetOffset, bytes, target.byteSize());
        if (bytes > 0) {
            within(source, sourceOffset, target, targetOffset, bytes);
        }
    }

    /// A fence that has passed.
    @Override
    public Fence fence() {
        requireOpen();
        return Fence.passed();
    }

    @Override
    public void waitFor(Fence fence) {
        requireOpen();
        fence.await();
    }

    /// Nothing is pending.
    @Override
    public void synchronize() {
        requireOpen();
    }

    @Override
    public final void close() {
        lifetime.close();
    }

    private static void requireAccess(MemorySegment memory) {
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("the host memory of the copy is closed: " + memory);
        }
        if (!memory.isAccessibleBy(Thread.currentThread())) {
            throw new WrongThreadException("the host memory of the copy belongs to another thread: " + memory);
        }
    }

    private static boolean isShared(MemorySegment memory) {
        return memory.isNative() && memory.isAccessibleBy(NOBODY);
    }

    /// A step of a copy.
    private interface Step {
        /// @param piece native memory that every thread may access
        /// @param at where the piece begins in the whole
        void take(MemorySegment piece, long at);
    }

    private static void inPieces(long bytes, Step step) {
        if (bytes == 0) {
            return;
        }
        try (Arena arena = Arena.ofShared()) {
            MemorySegment bounce = arena.allocate(Math.min(bytes, PIECE));
            for (long done = 0; done < bytes; done += PIECE) {
                step.take(bounce.asSlice(0, Math.min(bytes - done, PIECE)), done);
            }
        }
    }
}
