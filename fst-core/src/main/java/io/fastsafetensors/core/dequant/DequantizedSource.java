package io.fastsafetensors.core.dequant;

import io.fastsafetensors.core.dequant.QuantizedTensors.Quantized;
import io.fastsafetensors.core.storage.DerivedSource;
import io.fastsafetensors.core.storage.DerivedSource.ReadWindows;
import io.fastsafetensors.core.storage.DerivedSource.TensorPlaces;
import io.fastsafetensors.core.storage.FileBytes;
import io.fastsafetensors.spi.storage.StorageFile;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.TensorInfo;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;

/// The quantised tensors of a file as a file of plain ones. A read of some elements reads their bytes and the scales of
/// their blocks, and multiplies; or hands both out, for a device to do so.
///
/// Blocks of a load are cut at pages of the derived file, which are whole elements; a read that is not (a digest, a
/// slice) makes the elements at its ends aside. Reads run on many threads; they share windows, and the factors of a
/// tensor once they were read.
final class DequantizedSource implements DerivedSource {
    /// Elements that are read and multiplied together; a multiple of what fills pages in every dtype.
    private static final long STEP = 256 << 10;
    /// How much of a slot the parts of a block fill, but for what they are rounded up to.
    private static final double FILL = 15.0 / 16;
    /// Bytes of a result that hardly count among those of a block.
    private static final long SMALL = 64 << 10;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final List<View> tensors;
    /// The files that elements, scales and factors are read from, each once.
    private final List<Location> files;
    private final DType dtype;
    /// By the dtype of the elements: each has a table of all of them, which takes longer to make than a tensor's other
    /// parts.
    private final Map<DType, BlockProduct> products = new EnumMap<>(DType.class);
    /// Where in the file each tensor begins and ends.
    private final TensorPlaces places;

    /// A tensor's place.
    ///
    /// @param offset its first byte in the file
    /// @param tensor what it is made of
    /// @param overflows counts what became infinite
    record View(long offset, Quantized tensor, LongAdder overflows) {
    }

    /// @param tensors by offset; what lies between them is zero
    /// @param dtype what they become
    DequantizedSource(List<View> tensors, DType dtype) {
        this.tensors = List.copyOf(tensors);
        this.dtype = dtype;
        List<Location> parts = new ArrayList<>();
        for (View view : tensors) {
            add(view.tensor().values(), parts);
            add(view.tensor().scales(), parts);
            view.tensor().factor().ifPresent(factor -> add(factor, parts));
            products.computeIfAbsent(view.tensor().element(), from -> new BlockProduct(from, dtype));
        }
        this.files = List.copyOf(parts);
        this.places = TensorPlaces.of(this.tensors, View::offset, view -> dtype.byteSize(view.tensor().elements()));
    }

    private static void add(TensorInfo tensor, List<Location> parts) {
        if (!parts.contains(tensor.file())) {
            parts.add(tensor.file());
        }
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
        return "dequantized";
    }

    @Override
    public String reason() {
        return "de-quantised by the host while it is read, through the page cache";
    }

    @Override
    public Bytes open(List<StorageFile> parts) {
        return new Open(parts);
    }

    private final class Open implements Bytes, QuantizedReads {
        private final List<StorageFile> parts;
        // The elements of a step, their scales as they are in the file, and as F32: each has one at most.
        private final ReadWindows windows = new ReadWindows(STEP + 8 * STEP);
        /// One for each tensor, by offset.
        private final List<TensorReads> reads = new ArrayList<>();

        Open(List<StorageFile> parts) {
            this.parts = parts;
            tensors.forEach(view -> reads.add(new TensorReads(view)));
        }

        @Override
        public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
            if (bytes <= 0) {
                return 0;
            }
            int number = places.find(offset);
            long gap = places.fillGap(number, offset, target, targetOffset, bytes);
            return gap > 0 ? gap : reads.get(number).multiply(offset - places.begin(number), target, targetOffset,
                    Math.min(bytes, places.end(number) - offset));
        }

        @Override
        public Set<DType> elements() {
            return tensors.stream().map(view -> view.tensor().element()).collect(Collectors.toSet());
        }

        @Override
        public DType result() {
            return dtype;
        }

        /// Tensors that are a small part of any block go into the room.
        @Override
        public double growth() {
            double least = Double.MAX_VALUE;
            for (View view : tensors) {
                Quantized tensor = view.tensor();
                if (dtype.byteSize(tensor.elements()) >= SMALL) {
                    double scaleBits = (double) Float.SIZE * tensor.scales().shape().elements() / tensor.elements();
                    least = Math.min(least, dtype.bits() / (tensor.element().bits() + scaleBits));
                }
            }
            return least == Double.MAX_VALUE ? 1 : Math.max(1, least * FILL);
        }

        @Override
        public long readQuantized(long from, long to, MemorySegment memory, long used, Sink sink) {
            TensorReads tensor = reads.get(places.find(from));
            return tensor.fits(from, to, used, memory.byteSize()) ? tensor.handOut(from, to, used, memory, sink) : -1;
        }

        @Override
        public void close() {
            windows.close();
        }

        /// Makes the bytes of one tensor. Immutable but for its factors.
        private final class TensorReads {
            private final View view;
            private final Quantized tensor;
            private final StorageFile values;
            private final StorageFile scales;
            private final BlockProduct product;
            private final int bytesOut = dtype.bits() / 8;
            /// Read with the first scale that needs them; guarded by this object.
            private float[] factors = {};

            TensorReads(View view) {
                this.view = view;
                this.tensor = view.tensor();
                this.values = parts.get(files.indexOf(tensor.values().file()));
                this.scales = parts.get(files.indexOf(tensor.scales().file()));
                this.product = Objects.requireNonNull(products.get(tensor.element()));
            }

            /// De-quantises from a byte of the result on; the ends may lie inside an element.
            long multiply(long from, MemorySegment target, long targetOffset, long bytes) {
                MemorySegment window = windows.take();
                try {
                    long at = from;
                    long end = from + bytes;
                    while (at < end) {
                        // Whole bytes of the source and whole elements of the result.
                        long first = at / bytesOut / 2 * 2;
                        long last = last(first, at / bytesOut,
                                Math.min(Math.min(Math.ceilDiv(end, bytesOut), tensor.elements()), first + STEP / 2));
                        boolean exact = first * bytesOut == at && last * bytesOut <= end;
                        long got = Math.min(end, last * bytesOut) - at;
                        if (exact) {
                            multiply(first, last - first, window, target, targetOffset + at - from, view.overflows());
                        } else {
                            cutOut(first, last, at, got, window, target, targetOffset + at - from);
                        }
                        at += got;
                    }
                    return bytes;
                } finally {
                    windows.give(window);
                }
            }

            /// Not past the row where the rows of scales are so long that those of two would not fit.
            private long last(long first, long wanted, long last) {
                return scaleCount(first, last) * Float.BYTES <= 8 * STEP ? last
                        : Math.max(wanted + 1, Math.min(last, (first / tensor.grid().columns() + 1)
                                * tensor.grid().columns()));
            }

            /// What begins or ends inside an element, or an odd one of two in a byte, is made aside. Who reads the rest
            /// of the element counts it again; blocks of a load do not cut elements.
            private void cutOut(long first, long last, long at, long bytes, MemorySegment window, MemorySegment target,
                    long targetOffset) {
                MemorySegment aside = windows.take();
                try {
                    multiply(first, last - first, window, aside, 0, view.overflows());
                    MemorySegment.copy(aside, at - first * bytesOut, target, targetOffset, bytes);
                } finally {
                    windows.give(aside);
                }
            }

            private void multiply(long first, long count, MemorySegment window, MemorySegment target, long targetOffset,
                    LongAdder overflows) {
                fill(values, tensor.values().fileOffset() + sourceBytes(first), window, 0, sourceBytes(count));
                long lowest = tensor.grid().lowestScale(first, count);
                long highest = tensor.grid().highestScale(first, count);
                long at = STEP;
                readScales(lowest, highest - lowest + 1, window, at);
                product.multiply(window, 0, window.asSlice(at), lowest, tensor.grid(), first, target, targetOffset,
                        count,
                        overflows);
            }

            /// The bytes that hold so many elements, of which two may share one.
            private long sourceBytes(long elements) {
                return Math.ceilDiv(elements * tensor.element().bits(), 8L);
            }

            /// Reads scales as F32, with their factor. Raw ones lie behind them for the time being.
            ///
            /// The raw scales are put so far behind that none is overwritten before it was read: an F32 is at least
            /// as wide as any scale.
            private void readScales(long first, long count, MemorySegment window, long at) {
                int bytes = tensor.scale().bits() / 8;
                long raw = at + count * (Float.BYTES - bytes);
                fill(scales, tensor.scales().fileOffset() + first * bytes, window, raw, count * bytes);
                float[] table = bytes == 1 ? Tables.of(tensor.scale()) : Tables.NONE;
                long each = tensor.scalesPerFactor();
                for (long s = 0; s < count; s++) {
                    float scale = scale(window, raw + s * bytes, table);
                    if (tensor.factor().isPresent()) {
                        float factor = factors()[(int) ((first + s) / each)];
                        scale = tensor.divides() ? scale / factor : scale * factor;
                    }
                    window.set(FLOAT, at + s * Float.BYTES, scale);
                }
            }

            /// @param table the values of a dtype of one byte
            private float scale(MemorySegment window, long at, float[] table) {
                return switch (tensor.scale()) {
                    case F32 -> window.get(FLOAT, at);
                    case BF16 -> Float.intBitsToFloat(bits(window, at) << 16);
                    case F16 -> Float.float16ToFloat((short) bits(window, at));
                    default -> table[window.get(ValueLayout.JAVA_BYTE, at) & 0xFF];
                };
            }

            private static int bits(MemorySegment window, long at) {
                return (window.get(ValueLayout.JAVA_BYTE, at) & 0xFF)
                        | ((window.get(ValueLayout.JAVA_BYTE, at + 1) & 0xFF) << 8);
            }

            /// Few and small, so they are read as a whole and kept.
            private synchronized float[] factors() {
                if (factors.length == 0) {
                    TensorInfo info = tensor.factor().orElseThrow();
                    MemorySegment window = windows.take();
                    try {
                        fill(parts.get(files.indexOf(info.file())), info.fileOffset(), window, 0, info.byteSize());
                        factors = window.asSlice(0, info.byteSize()).toArray(FLOAT);
                    } finally {
                        windows.give(window);
                    }
                }
                return factors;
            }

            /// Whether whole bytes of elements make some bytes of the result, and all that they are made of has room.
            ///
            /// @param from the first byte of the result, in the derived file
            /// @param used how much of the memory is in use
            boolean fits(long from, long to, long used, long room) {
                long begin = from - view.offset();
                long end = to - view.offset();
                long first = begin / bytesOut;
                long last = end / bytesOut;
                boolean whole = begin % bytesOut == 0 && end % bytesOut == 0 && (first & 1) == 0
                        && ((last & 1) == 0 || last == tensor.elements());
                return whole && scalesAt(used, first, last) + Float.BYTES * scaleCount(first, last) <= room;
            }

            /// How many scales lie between the first and the last one that elements `[first, last)` use; those
            /// between that belong to other elements are read too.
            private long scaleCount(long first, long last) {
                return tensor.grid().highestScale(first, last - first) - tensor.grid().lowestScale(first, last - first)
                        + 1;
            }

            /// Elements begin at a multiple of a page's part, so that wide loads find them aligned.
            private static long valuesAt(long used) {
                return Math.ceilDiv(used, 256L) * 256;
            }

            /// Where scales begin behind their elements, at a multiple of what an F32 vector wants.
            private long scalesAt(long used, long first, long last) {
                return Math.ceilDiv(valuesAt(used) + sourceBytes(last - first), 16L) * 16;
            }

            /// Reads elements and scales to behind what is in use, and tells of them. For bytes that [#fits] accepts.
            ///
            /// @return how much of the memory is in use now
            long handOut(long from, long to, long used, MemorySegment memory, Sink sink) {
                long first = (from - view.offset()) / bytesOut;
                long last = (to - view.offset()) / bytesOut;
                long bytes = sourceBytes(last - first);
                long at = valuesAt(used);
                fill(values, tensor.values().fileOffset() + sourceBytes(first), memory, at, bytes);
                long lowest = tensor.grid().lowestScale(first, last - first);
                long count = scaleCount(first, last);
                long scalesAt = scalesAt(used, first, last);
                readScales(lowest, count, memory, scalesAt);
                countOverflows(memory, at, scalesAt, lowest, count, first, last);
                sink.quantized(at, bytes, tensor.element(), scalesAt, count * Float.BYTES, tensor.grid(), first, lowest,
                        from, dtype);
                return scalesAt + count * Float.BYTES;
            }

            /// The device counts nothing; but where no scale is large enough for it there is nothing to count.
            private void countOverflows(MemorySegment memory, long at, long scalesAt, long lowest, long count,
                    long first,
                    long last) {
                boolean may = false;
                for (long s = 0; s < count && !may; s++) {
                    may = product.mayOverflow(memory.get(FLOAT, scalesAt + s * Float.BYTES));
                }
                if (!may) {
                    return;
                }
                MemorySegment aside = windows.take();
                try {
                    long step = STEP;
                    for (long done = first; done < last; done += step) {
                        product.multiply(memory, at + sourceBytes(done - first), memory.asSlice(scalesAt), lowest,
                                tensor.grid(), done, aside, 0, Math.min(step, last - done), view.overflows());
                    }
                } finally {
                    windows.give(aside);
                }
            }

            private static void fill(StorageFile file, long offset, MemorySegment into, long at, long bytes) {
                FileBytes.fill(file, file.location().where(), offset, into, at, bytes);
            }
        }
    }

    /// Made once for all tensors.
    private static final class Tables {
        private static final float[] NONE = {};
        private static final float[] E4M3 = BlockProduct.table(DType.F8_E4M3);
        private static final float[] E8M0 = BlockProduct.table(DType.F8_E8M0);

        static float[] of(DType dtype) {
            return dtype == DType.F8_E4M3 ? E4M3 : E8M0;
        }
    }
}
