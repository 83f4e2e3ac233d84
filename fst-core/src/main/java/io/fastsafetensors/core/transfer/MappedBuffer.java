package io.fastsafetensors.core.transfer;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.fastsafetensors.core.linux.ffm.LibC;
import io.fastsafetensors.core.linux.ffm.PlatformLibC;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.storage.SourceFile;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A read-only mapping of a file as a buffer of a device that works on the host's memory: its bytes stay where the page
/// cache has them. The offsets of the buffer are those of the file. Unmapped by [#close()], from any thread.
///
/// Once the file is shorter, an access to pages that it no longer has is an [InternalError] in Java and ends the process in
/// native code; [#requireReadable] tells beforehand.
///
/// The mapping is private to this buffer and lives in an arena of its own, so closing it invalidates every segment of
/// it. Pages are not read by being mapped; readers bring them in ahead of use ([#populate]) so that a consumer never
/// waits for a disk page by page.
///
/// `MADV_POPULATE_READ` (Linux 5.14) reads and maps pages in one call and returns an error where an access would
/// fault. Older kernels do not know it: there pages are touched, and a file that is cut meanwhile faults.
public final class MappedBuffer implements DeviceBuffer {
    /// How much is brought into memory by one call: enough to be worth one, little enough to be stopped between two.
    private static final long STEP = 32L << 20;
    private static final VarHandle BYTE = JAVA_BYTE.varHandle();
    private static final int EINVAL = 22;
    /// The answer for pages beyond the end of the file.
    private static final int EFAULT = 14;

    private final Location location;
    private final MemorySegment memory;
    private final Arena arena;
    /// Null where native access is denied; pages are then touched.
    private final @Nullable LibC libc;
    /// Guarded by this object, as all that users may call from any thread.
    private boolean closed;

    private MappedBuffer(Location location, MemorySegment memory, Arena arena, @Nullable LibC libc) {
        this.location = location;
        this.memory = memory;
        this.arena = arena;
        this.libc = libc;
    }

    /// Maps a file as a whole; nothing is read yet.
    ///
    /// @param length its length when its header was read
    /// @throws StorageException if it cannot be mapped, or is another version by now
    @SuppressWarnings("MustBeClosed")
    public static MappedBuffer of(SourceFile file, long length) {
        Arena arena = Arena.ofShared();
        boolean done = false;
        try {
            MemorySegment memory = file.reading(open -> open.ability(Mapping.class)
                    .orElseThrow(() -> new UnsupportedFeatureException("this storage cannot be mapped; use another"
                            + " transfer path", open.location().where()))
                    .map(0, length, arena));
            LibC libc = PlatformLibC.instance();
            if (libc != null) {
                // What is read ahead then comes in huge pages where the file system has them in the cache, as fast by
                // several threads as by one; and huge pages are mapped by one entry each, for this load and later ones.
                // Refused elsewhere, which changes nothing.
                libc.madvise(memory.address(), length, LibC.MADV_HUGEPAGE);
            }
            done = true;
            return new MappedBuffer(file.location(), memory.asReadOnly(), arena, libc);
        } finally {
            if (!done) {
                arena.close();
            }
        }
    }

    /// Does ahead of the first mapping of a process what it does once: classes are loaded and calls bound by mapping a
    /// page of the program that runs.
    ///
    /// @throws StorageException if that cannot be mapped
    public static void prepare(SourceFiles files) {
        try (MappedBuffer program = of(files.file(Location.of(Path.of("/proc/self/exe"))), Pages.SIZE)) {
            program.populate(0, Pages.SIZE, () -> false);
        }
    }

    /// Brings the pages of the bytes `[from, to)` into memory, in order; waits for the storage.
    ///
    /// Without the lock, since it takes long: the load that calls it has a reference to the buffer.
    ///
    /// @param stopped whether to leave off
    /// @throws StorageException if the storage fails, or the file has become shorter
    void populate(long from, long to, BooleanSupplier stopped) {
        for (long at = from; at < to && !stopped.getAsBoolean();) {
            long next = Math.min(to, at + STEP);
            int errno = advise(at, next);
            if (errno == EINVAL) {
                touch(at, next);
            } else if (errno != 0) {
                throw unreadable(at, errno);
            }
            at = next;
        }
    }

    /// Makes sure that the file still has these bytes, so that reading them here faults only if it is truncated meanwhile.
    /// Knows it where the kernel does (Linux 5.14).
    ///
    /// @throws StorageException if the file has become shorter
    public void requireReadable(long offset, long bytes) {
        int errno = bytes == 0 ? 0 : advise(offset, offset + bytes);
        if (errno != 0 && errno != EINVAL) {
            throw unreadable(offset, errno);
        }
    }

    /// @param errno of the advice that failed
    private StorageException unreadable(long offset, int errno) {
        return new StorageException(errno == EFAULT
                ? "the mapped file has become shorter than its tensors, or its storage fails; load it again when its"
                        + " writer has ended, or by copying (transfer path AUTO)"
                : "the pages of a mapping cannot be brought into memory (errno " + errno
                        + "); use the transfer path AUTO",
                location.where().withOffset(offset));
    }

    /// @return 0, or the errno; `EINVAL` where the kernel has no such advice
    private int advise(long from, long to) {
        LibC c = libc;
        if (c == null) {
            return EINVAL;
        }
        long begin = memory.address() + from & -c.page_size();
        return c.madvise(begin, memory.address() + to - begin, LibC.MADV_POPULATE_READ) == 0 ? 0 : c.errno();
    }

    /// By volatile reads, which no compiler leaves out.
    private void touch(long from, long to) {
        for (long at = Pages.floor(from); at < to; at += Pages.SIZE) {
            BYTE.getVolatile(memory, at);
        }
    }

    @Override
    public synchronized long byteSize() {
        requireOpen();
        return memory.byteSize();
    }

    @Override
    public synchronized DeviceHandle handle() {
        requireOpen();
        return DeviceHandle.pointer(memory.address());
    }

    @Override
    public synchronized Optional<MemorySegment> segment() {
        requireOpen();
        return Optional.of(memory);
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the mapping of " + location + " is closed");
        }
    }

    /// @throws IllegalStateException if a native call in flight uses the segment; nothing is changed then
    @Override
    public synchronized void close() {
        if (!closed) {
            arena.close();
            closed = true;
        }
    }

    /// Of which file.
    @Override
    public String toString() {
        return "a mapping of " + location;
    }
}
