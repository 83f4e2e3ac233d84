package io.fastsafetensors.core.header;

import io.fastsafetensors.api.OpaqueType;
import io.fastsafetensors.error.Printable;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JsonToken;
import tools.jackson.core.io.SerializedString;

/// Reads one tensor's entry after the other. Only the result is allocated for an entry whose fields come in the
/// usual order and whose shape was seen before: headers have a hundred thousand entries, and parsing them is what
/// opening a checkpoint takes time for. Not thread-safe; one for a header.
///
/// The entries of most writers have their fields in one order, so each field's name is compared with the one that is
/// due, as bytes. Dtypes are found by their characters and shapes in a cache, so the name of the tensor is the only
/// string that is made.
final class EntryParser {
    /// A tensor's entry as the header spells it, not yet believed: all numbers are unsigned 64-bit, offsets relative to
    /// the data section. [RangeCheck] makes a tensor of it.
    record RawTensor(String name, DType dtype, RawShape shape, long begin, long end) {
    }

    /// The fields that a tensor's entry has; what else is there is passed over.
    private enum Field {
        DTYPE, SHAPE, DATA_OFFSETS, UNKNOWN, END
    }

    /// Names as the parser compares them, byte by byte and without making a string.
    private static final SerializedString DTYPE = new SerializedString("dtype");
    private static final SerializedString SHAPE = new SerializedString("shape");
    private static final SerializedString DATA_OFFSETS = new SerializedString("data_offsets");
    /// Dimensions that the array has room for at first; it grows with the longest shape.
    private static final int INITIAL_RANK = 8;
    private static final DType[] DTYPES = DType.values();
    /// In the order of [#DTYPES].
    private static final char[][] DTYPE_NAMES = Arrays.stream(DTYPES).map(dtype -> dtype.name().toCharArray())
            .toArray(char[][]::new);

    private final JsonCursor json;
    private final boolean lenient;
    private final Map<String, OpaqueType> opaque = new HashMap<>();
    private final HeapGuard guard;
    private final RawShape.Cache shapes = new RawShape.Cache();
    /// The numbers of the shape that is read; used again for each entry.
    ///
    /// Grows to the longest shape of the header, and no further than the heap guard allows.
    private long[] dims = new long[INITIAL_RANK];
    private @Nullable DType dtype;
    /// The spelling of a dtype that is not known; null if it is.
    private @Nullable String unknown;
    private @Nullable RawShape shape;
    private boolean hasRange;
    private long begin;
    private long end;

    /// @param lenient whether a dtype that is not known makes opaque bytes
    /// @param guard asked before a long shape's array grows, which is the one thing here whose size the header decides
    EntryParser(JsonCursor json, HeapGuard guard, boolean lenient) {
        this.lenient = lenient;
        this.json = json;
        this.guard = guard;
    }

    /// Reads the value that follows `name`. Fields may come in any order and among unknown ones; each at most once.
    ///
    /// @throws tools.jackson.core.JacksonException if the entry is not what the reference takes
    RawTensor parse(String name) {
        // The reference takes an array, too; fst does not.
        if (json.next() != JsonToken.START_OBJECT) {
            throw json.problem("the entry of tensor \"" + Printable.escape(name) + "\" is not an object");
        }
        dtype = null;
        unknown = null;
        shape = null;
        hasRange = false;
        for (Field field = next(DTYPE, Field.DTYPE); field != Field.END;) {
            field = switch (field) {
                case DTYPE -> {
                    requireFirst(dtype == null, "dtype");
                    dtype = readDType();
                    yield next(SHAPE, Field.SHAPE);
                }
                case SHAPE -> {
                    requireFirst(shape == null, "shape");
                    shape = readShape();
                    yield next(DATA_OFFSETS, Field.DATA_OFFSETS);
                }
                case DATA_OFFSETS -> {
                    requireFirst(!hasRange, "data_offsets");
                    readRange();
                    yield next(DTYPE, Field.DTYPE);
                }
                case UNKNOWN, END -> {
                    json.skipValue();
                    yield next(DTYPE, Field.DTYPE);
                }
            };
        }
        RawTensor tensor = new RawTensor(name, present(dtype, "dtype"), present(shape, "shape"), range(), end);
        return unknown == null ? tensor : opaque(tensor, unknown);
    }

    /// The bytes of a tensor whose dtype says nothing of their number: its range counts.
    ///
    /// It becomes a U8 tensor of one dimension; what the header said of it is kept apart, for those who ask.
    private RawTensor opaque(RawTensor tensor, String spelled) {
        for (int i = 0; i < tensor.shape().rank(); i++) {
            if (tensor.shape().dim(i) < 0) {
                throw json.problem("a dimension of a tensor of the unknown dtype \"" + Printable.escape(spelled)
                        + "\" is over 2^63");
            }
        }
        opaque.put(tensor.name(), new OpaqueType(spelled, tensor.shape().toShape()));
        return new RawTensor(tensor.name(), tensor.dtype(), new RawShape(new long[] {tensor.end() - tensor.begin()}),
                tensor.begin(), tensor.end());
    }

    /// The tensors of unknown dtypes so far. Only with the lenient option is there any.
    Map<String, OpaqueType> opaque() {
        return opaque;
    }

    /// A guess in the order of most writers costs no string where it is right. The name that was read is the cursor's
    /// until the next call.
    private Field next(SerializedString guess, Field guessed) {
        if (json.nextNameIs(guess)) {
            return guessed;
        }
        String name = json.name();
        if (name == null) {
            return Field.END;
        }
        return switch (name) {
            case "dtype" -> Field.DTYPE;
            case "shape" -> Field.SHAPE;
            case "data_offsets" -> Field.DATA_OFFSETS;
            default -> Field.UNKNOWN;
        };
    }

    /// @throws tools.jackson.core.JacksonException if the field came before
    private void requireFirst(boolean first, String field) {
        if (!first) {
            throw json.problem(field + " twice in an entry");
        }
    }

    /// Lenient, an unknown dtype is noted in [#unknown] and stands as bytes until the range of the entry is known.
    private DType readDType() {
        // {"F32":null} is another spelling of an enum's constant for the reference.
        boolean wrapped = json.next() == JsonToken.START_OBJECT;
        DType found;
        if (wrapped) {
            String text = json.nextName();
            found = text == null ? null : DType.byName(text).orElse(null);
            if (found == null || json.next() != JsonToken.VALUE_NULL || json.nextName() != null) {
                throw json.problem("unknown dtype");
            }
        } else {
            char[] text = json.characters("dtype");
            found = find(text, json.offset(), json.length());
            if (found == null && lenient) {
                unknown = new String(text, json.offset(), json.length());
                found = DType.U8;
            }
            if (found == null) {
                throw json.problem(
                        "unknown dtype \"" + Printable.escape(new String(text, json.offset(), json.length()))
                                + "\"; the lenient option keeps its bytes");
            }
        }
        return found;
    }

    /// The dtype spelled so, without making a string of it; null if there is none.
    ///
    /// By looking at all of them: there are two dozen, and most differ in their first characters.
    private static @Nullable DType find(char[] text, int offset, int length) {
        for (int i = 0; i < DTYPE_NAMES.length; i++) {
            char[] name = DTYPE_NAMES[i];
            if (Arrays.equals(name, 0, name.length, text, offset, offset + length)) {
                return DTYPES[i];
            }
        }
        return null;
    }

    /// Reads the numbers into one array that all entries share; the shape itself comes from the cache.
    private RawShape readShape() {
        beginArray("shape");
        int rank = 0;
        while (json.next() != JsonToken.END_ARRAY) {
            if (rank == dims.length) {
                // The longer array, and then the shape's own two copies.
                guard.require(4L * rank * Long.BYTES);
                dims = Arrays.copyOf(dims, rank * 2);
            }
            dims[rank++] = json.unsigned("a dimension");
        }
        return shapes.get(dims, rank);
    }

    /// Exactly two numbers; whether they make sense is for [RangeCheck], which the reference asks only once the whole
    /// header was read.
    private void readRange() {
        beginArray("data_offsets");
        json.next();
        begin = json.unsigned("the first of data_offsets");
        json.next();
        end = json.unsigned("the second of data_offsets");
        if (json.next() != JsonToken.END_ARRAY) {
            throw json.problem("data_offsets has more than two numbers");
        }
        hasRange = true;
    }

    /// @param what the field, for the complaint
    private void beginArray(String what) {
        if (json.next() != JsonToken.START_ARRAY) {
            throw json.problem(what + " is not an array");
        }
    }

    /// The first of the offsets.
    ///
    /// @throws tools.jackson.core.JacksonException if there are none
    private long range() {
        if (!hasRange) {
            throw missing("data_offsets");
        }
        return begin;
    }

    /// @throws tools.jackson.core.JacksonException if the field did not come
    private <T> T present(@Nullable T value, String field) {
        if (value == null) {
            throw missing(field);
        }
        return value;
    }

    private RuntimeException missing(String field) {
        return json.problem(field + " is missing");
    }

    /// A shape as the header spells it: unsigned 64-bit dimensions. Shared by the tensors that have it. For one thread
    /// while a header is read; the [Shape] that comes out is immutable.
    static final class RawShape {
        private final long[] dims;
        private @Nullable Shape shape;

        /// A cache of recent shapes, so that the few that a model has are made once, not for each tensor. A header with
        /// many shapes gains nothing and loses next to nothing.
        ///
        /// Direct-mapped: a shape that falls on the slot of another one replaces it. The multiplier is 2^64 divided by
        /// the golden ratio.
        static final class Cache {
            private static final int SLOTS = 256;

            private final @Nullable RawShape[] slots = new RawShape[SLOTS];

            /// The shape of the first `rank` numbers of `dims`.
            RawShape get(long[] dims, int rank) {
                long hash = rank;
                for (int i = 0; i < rank; i++) {
                    hash = (hash ^ dims[i]) * 0x9E3779B97F4A7C15L;
                }
                int slot = (int) (hash >>> 32) & (SLOTS - 1);
                RawShape known = slots[slot];
                if (known == null || !known.is(dims, rank)) {
                    known = new RawShape(Arrays.copyOf(dims, rank));
                    slots[slot] = known;
                }
                return known;
            }
        }

        /// Takes the array over.
        RawShape(long[] dims) {
            this.dims = dims;
        }

        int rank() {
            return dims.length;
        }

        /// Unsigned.
        long dim(int index) {
            return dims[index];
        }

        /// Whether it is made of the first `rank` numbers of `other`.
        boolean is(long[] other, int rank) {
            return Arrays.equals(dims, 0, dims.length, other, 0, rank);
        }

        /// The same for the world outside; no dimension may exceed a long. Made once: a model has a dozen shapes and a
        /// hundred thousand tensors.
        Shape toShape() {
            Shape made = shape;
            if (made == null) {
                made = Shape.of(dims);
                shape = made;
            }
            return made;
        }

        @Override
        public String toString() {
            // As much as a message can show of a shape that may have any rank.
            int shown = Math.min(dims.length, 16);
            StringBuilder text = new StringBuilder("[");
            for (int i = 0; i < shown; i++) {
                text.append(i == 0 ? "" : ",").append(Long.toUnsignedString(dims[i]));
            }
            return text.append(shown < dims.length ? ",…]" : "]").toString();
        }
    }
}
