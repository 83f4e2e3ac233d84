package io.fastsafetensors.core.storage;

import io.fastsafetensors.core.storage.DerivedSource.ReadWindows;
import io.fastsafetensors.core.storage.DerivedSource.TensorPlaces;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Tensors that several files hold a part of each, as one file of whole tensors. What a read asks of a part is one range of
/// its file, whatever the dimension that was cut: rows that follow one another there are read together and then put into
/// their places.
///
/// Runs follow one another in the part's file without a gap, because a box is row-major itself. Those that are shorter
/// than 256 KiB are read together; longer ones are worth a read each, and go straight into the target.
///
/// Positions are computed rather than kept: a box of a tensor may have millions of runs. They ascend with the run's
/// number, so the run at an offset is found by bisection.
public final class JoinedSource implements DerivedSource {
    /// Bytes of one read of runs that are scattered afterwards; small enough to stay in a processor's cache between the
    /// two.
    private static final long WINDOW = 1L << 20;
    /// Runs as long as this are read into their places one by one.
    private static final long LONG_RUN = 256L << 10;

    private final List<Location> files;
    private final List<Whole> tensors;
    private final TensorPlaces places;

    /// A part of a row-major tensor: a box of it, row-major itself.
    ///
    /// @param file its file's number
    /// @param fileOffset its first byte there
    /// @param offsets where it begins in each dimension of the whole
    /// @param shape its dimensions
    public record Box(int file, long fileOffset, List<Long> offsets, Shape shape) {
    }

    /// A whole tensor: boxes that fill it.
    ///
    /// @param offset its first byte in the joined file
    /// @param shape its dimensions
    /// @param elementBits of one element; runs of elements of a box fill whole bytes
    /// @param boxes none of them empty, none over another
    public record Whole(long offset, Shape shape, int elementBits, List<Box> boxes) {
        long byteSize() {
            return shape.elements() * elementBits / 8;
        }
    }

    /// @param tensors by offset; what lies between them is zero
    public JoinedSource(List<Location> files, List<Whole> tensors) {
        this.files = List.copyOf(files);
        this.tensors = List.copyOf(tensors);
        this.places = TensorPlaces.of(this.tensors, Whole::offset, Whole::byteSize);
    }

    @Override
    public List<Location> parts() {
        return files;
    }

    @Override
    public long length() {
        return places.length();
    }

    @Override
    public String name() {
        return "joined";
    }

    @Override
    public String reason() {
        return "put together from parts in " + files.size() + " files, through the page cache";
    }

    @Override
    public Bytes open(List<StorageFile> parts) {
        return new Open(parts);
    }

    /// An open source. Runs are computed once, when it is opened; reads share nothing but windows.
    private final class Open implements Bytes {
        private final List<StorageFile> parts;
        private final ReadWindows windows = new ReadWindows(WINDOW);
        private final List<List<BoxRuns>> boxes;

        Open(List<StorageFile> parts) {
            this.parts = parts;
            this.boxes = tensors.stream()
                    .map(tensor -> tensor.boxes().stream().map(box -> new BoxRuns(tensor, box)).toList()).toList();
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            if (bytes <= 0) {
                return 0;
            }
            int number = places.find(offset);
            long gap = places.fillGap(number, offset, target, targetOffset, bytes);
            if (gap > 0) {
                return gap;
            }
            long from = offset - places.begin(number);
            long to = Math.min(offset + bytes, places.end(number)) - places.begin(number);
            for (BoxRuns runs : boxes.get(number)) {
                runs.read(from, to, target, targetOffset);
            }
            return to - from;
        }

        @Override
        public void close() {
            windows.close();
        }

        /// The runs of a box: stretches of bytes that lie in one piece in the box and in the whole.
        private final class BoxRuns {
            private final Box box;
            private final StorageFile file;
            private final long runBytes;
            private final long runs;
            /// How many runs lie under one index of each dimension around them, and how far apart in the whole those are.
            private final int outer;
            private final long[] below;
            private final long[] strides;
            private final long start;

            /// Dimensions that the box has whole, from the innermost outwards, and the first that it has not make one
            /// run.
            BoxRuns(Whole tensor, Box box) {
                this.box = box;
                this.file = parts.get(box.file());
                int rank = tensor.shape().rank();
                long[] elements = new long[rank + 1];
                elements[rank] = 1;
                for (int d = rank - 1; d >= 0; d--) {
                    elements[d] = elements[d + 1] * tensor.shape().dim(d);
                }
                int inner = rank - 1;
                while (inner > 0 && box.shape().dim(inner) == tensor.shape().dim(inner)) {
                    inner--;
                }
                int bits = tensor.elementBits();
                long first = 0;
                for (int d = 0; d < rank; d++) {
                    first += box.offsets().get(d) * elements[d + 1];
                }
                this.outer = Math.max(inner, 0);
                this.runBytes = rank == 0 ? Math.max(1, bits / 8)
                        : box.shape().dim(inner) * elements[inner + 1] * bits / 8;
                this.start = first * bits / 8;
                this.below = new long[outer];
                this.strides = new long[outer];
                long count = 1;
                for (int d = outer - 1; d >= 0; d--) {
                    below[d] = count;
                    strides[d] = elements[d + 1] * bits / 8;
                    count *= box.shape().dim(d);
                }
                this.runs = count;
            }

            /// Where a run begins in the whole.
            ///
            /// A run's number is taken apart by the counts of runs under each dimension, like the digits of a number.
            private long place(long run) {
                long at = start;
                long rest = run;
                for (int d = 0; d < outer; d++) {
                    at += rest / below[d] * strides[d];
                    rest %= below[d];
                }
                return at;
            }

            /// The first run that ends after a byte of the whole.
            private long firstAfter(long offset) {
                long low = 0;
                long high = runs;
                while (low < high) {
                    long middle = (low + high) >>> 1;
                    if (place(middle) + runBytes <= offset) {
                        low = middle + 1;
                    } else {
                        high = middle;
                    }
                }
                return low;
            }

            /// Puts what lies between two bytes of the whole into the target, which begins with the first of them.
            void read(long from, long to, MemorySegment target, long targetOffset) {
                long run = firstAfter(from);
                while (run < runs && place(run) < to) {
                    if (runBytes >= LONG_RUN) {
                        long at = place(run);
                        long first = Math.max(at, from);
                        fill(run * runBytes + first - at, target, targetOffset + first - from,
                                Math.min(at + runBytes, to) - first);
                        run++;
                    } else {
                        run = together(run, from, to, target, targetOffset);
                    }
                }
            }

            /// Reads as many runs as a window holds.
            ///
            /// At least one run; each is shorter than the window. Of the first and the last one only what is wanted
            /// is copied.
            ///
            /// @return the one after them
            private long together(long run, long from, long to, MemorySegment target, long targetOffset) {
                long last = Math.min(firstAfter(to - 1) + 1, Math.min(runs, run + WINDOW / runBytes));
                // That run may begin past the end.
                while (last > run + 1 && place(last - 1) >= to) {
                    last--;
                }
                MemorySegment window = windows.take();
                try {
                    fill(run * runBytes, window, 0, (last - run) * runBytes);
                    for (long r = run; r < last; r++) {
                        long at = place(r);
                        long first = Math.max(at, from);
                        long end = Math.min(at + runBytes, to);
                        MemorySegment.copy(window, (r - run) * runBytes + first - at, target,
                                targetOffset + first - from, end - first);
                    }
                } finally {
                    windows.give(window);
                }
                return last;
            }

            /// @param offset the first byte, in the box
            private void fill(long offset, MemorySegment into, long at, long bytes) {
                FileBytes.fill(file, file.location().where(), box.fileOffset() + offset, into, at, bytes);
            }
        }
    }
}
