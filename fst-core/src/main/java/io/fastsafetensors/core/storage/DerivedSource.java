package io.fastsafetensors.core.storage;

import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.function.ToLongFunction;

/// Makes the bytes of a file that no storage holds out of the bytes of other files, when they are read. Everything that
/// plans and reads files works on it as on any other; see [SourceFiles#derive]. Thread-safe, holds nothing open.
public interface DerivedSource {
    /// The files that it is made of.
    List<Location> parts();

    /// Its length in bytes.
    long length();

    /// The kind of its bytes in a word or two.
    String name();

    /// How it is read, for people.
    String reason();

    /// Opens it.
    ///
    /// Called for each opening; what the reads share, such as windows, is made here and released by the result's
    /// close.
    ///
    /// @param parts the open files, in the order of [#parts()]; the caller closes them after the result
    Bytes open(List<StorageFile> parts);

    /// The bytes of an open one. Reads run on many threads at once.
    interface Bytes extends AutoCloseable {
        /// As [StorageFile#read(long, MemorySegment, long, long)].
        long read(long offset, MemorySegment target, long targetOffset, long bytes);

        /// As [StorageFile#ability(Class)].
        default <A> Optional<A> ability(Class<A> type) {
            return type.isInstance(this) ? Optional.of(type.cast(this)) : Optional.empty();
        }

        /// Releases what reads share. Idempotent, after every read has returned.
        @Override
        void close();
    }

    /// An open [DerivedSource] as a file: uses its parts until it is closed. Its identity is its name alone: whether
    /// its bytes are of one version is asked of the parts, each by its own user of it.
    ///
    /// Closing it releases the parts after the bytes that were made of them; each part may stay open for others.
    final class Opened implements StorageFile {
        private final Location location;
        private final DerivedSource source;
        private final List<SourceFile> used = new ArrayList<>();
        private final Bytes bytes;

        /// Opens every part, and closes those that are open if one cannot be.
        Opened(Location location, DerivedSource source, List<SourceFile> parts) {
            this.location = location;
            this.source = source;
            try {
                List<StorageFile> open = new ArrayList<>(parts.size());
                for (SourceFile part : parts) {
                    open.add(part.retain());
                    used.add(part);
                }
                this.bytes = source.open(open);
            } catch (RuntimeException | Error e) {
                releaseParts(new Releases()).because(e);
                throw e;
            }
        }

        /// Each part once, however far opening came.
        private Releases releaseParts(Releases releases) {
            used.forEach(part -> releases.run(part::release));
            used.clear();
            return releases;
        }

        @Override
        public Location location() {
            return location;
        }

        @Override
        public long length() {
            return source.length();
        }

        @Override
        public FileIdentity identity() {
            return FileIdentity.of(location.toString());
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long count) {
            return bytes.read(offset, target, targetOffset, Math.clamp(source.length() - offset, 0, count));
        }

        @Override
        public String storageName() {
            return source.name();
        }

        @Override
        public String reason() {
            return source.reason();
        }

        @Override
        public <A> Optional<A> ability(Class<A> type) {
            return bytes.ability(type);
        }

        @Override
        public void close() {
            releaseParts(new Releases().run(bytes::close)).finish();
        }
    }

    /// Host memory that the reads of one file pass through, one window for each read at a time, kept for the next one.
    /// There are as many as reads were ever under way at a time, and they are freed together: memory of a shared arena
    /// cannot be given back one by one. Thread-safe.
    final class ReadWindows implements AutoCloseable {
        /// Bytes; a line of the processor's cache.
        private static final long ALIGNMENT = 64;

        private final long bytes;
        private final Arena arena = Arena.ofShared();
        private final ConcurrentLinkedQueue<MemorySegment> idle = new ConcurrentLinkedQueue<>();

        /// @param bytes the size of each
        public ReadWindows(long bytes) {
            this.bytes = bytes;
        }

        /// A window, contents undefined; the caller gives it back.
        ///
        /// Allocates one if all are in use, so there are at most as many as threads that read at a time.
        public MemorySegment take() {
            MemorySegment window = idle.poll();
            return window != null ? window : arena.allocate(bytes, ALIGNMENT);
        }

        /// Takes a window back.
        public void give(MemorySegment window) {
            idle.add(window);
        }

        /// Frees them, after every read has returned. Idempotent.
        @Override
        public void close() {
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }

    /// The places of the tensors of a [DerivedSource], by offset; what lies between them is zero. Immutable.
    final class TensorPlaces {
        private final long[] begins;
        private final long[] ends;

        private TensorPlaces(long[] begins, long[] ends) {
            this.begins = begins;
            this.ends = ends;
        }

        /// The places of tensors that come one after another.
        ///
        /// @param begin a tensor's first byte in the file
        /// @param bytes how many it has
        /// @param tensors by offset, none over another
        public static <T> TensorPlaces of(List<T> tensors, ToLongFunction<T> begin, ToLongFunction<T> bytes) {
            long[] begins = tensors.stream().mapToLong(begin).toArray();
            long[] ends = tensors.stream().mapToLong(tensor -> begin.applyAsLong(tensor) + bytes.applyAsLong(tensor))
                    .toArray();
            return new TensorPlaces(begins, ends);
        }

        /// The length of the file, which ends with its last tensor.
        public long length() {
            return ends.length == 0 ? 0 : ends[ends.length - 1];
        }

        /// The first byte of a tensor.
        public long begin(int tensor) {
            return begins[tensor];
        }

        /// The end of a tensor: the offset after its last byte.
        public long end(int tensor) {
            return ends[tensor];
        }

        /// The number of the tensor that ends after a byte; of the last one if there is none. By bisection, so that it may
        /// be asked for each block.
        public int find(long offset) {
            int low = 0;
            int high = ends.length - 1;
            while (low < high) {
                int middle = (low + high) >>> 1;
                if (ends[middle] <= offset) {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            return low;
        }

        /// Writes the zeros between an offset and a tensor that comes after it.
        ///
        /// @param bytes how many are wanted at the most
        /// @return how many were written; 0 if the tensor has begun
        public long fillGap(int tensor, long offset, MemorySegment target, long targetOffset, long bytes) {
            if (offset >= begins[tensor]) {
                return 0;
            }
            long gap = Math.min(bytes, begins[tensor] - offset);
            target.asSlice(targetOffset, gap).fill((byte) 0);
            return gap;
        }
    }
}
