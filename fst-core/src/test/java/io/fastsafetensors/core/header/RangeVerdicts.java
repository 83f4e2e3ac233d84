package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static io.fastsafetensors.core.header.VerdictFiles.OK;

import java.util.stream.IntStream;

/// Checks 6 to 10 in their order, and shapes that only Java cannot hold.
final class RangeVerdicts {
    private static final String OFFSET = "InvalidOffset";
    private static final String OVERFLOW = "ValidationOverflow";
    private static final String MISALIGNED = "MisalignedSlice";
    private static final String INFO = "TensorInvalidInfo";
    private static final String BUFFER = "MetadataIncompleteBuffer";
    private static final String UNSUPPORTED = "UnsupportedShape";
    private static final String HUGE = "18446744073709551615";
    private static final String HALF = "9223372036854775808";

    private RangeVerdicts() {
    }

    static void addTo(VerdictFiles table) {
        offsets(table);
        empties(table);
        overflows(table);
        sizes(table);
        ends(table);
        orders(table);
    }

    private static void offsets(VerdictFiles table) {
        table.header(OK, "offset-any-order", header(u8("c", 8, 9), u8("a", 0, 4), u8("b", 4, 8)), 9);
        table.header(OFFSET, "offset-first-not-0", header(u8("a", 1, 5)), 5);
        table.header(OFFSET, "offset-hole", header(u8("a", 0, 4), u8("b", 5, 9)), 9);
        table.header(OFFSET, "offset-overlap", header(u8("a", 0, 4), u8("b", 3, 7)), 7);
        table.header(OFFSET, "offset-inside", header(u8("a", 0, 8), u8("b", 2, 4)), 8);
        table.header(OFFSET, "offset-same-range", header(u8("a", 0, 4), u8("b", 0, 4)), 4);
        table.header(OFFSET, "offset-end-before-begin", header(entry("a", "U8", "[4]", 4, 0)), 4);
        table.header(OFFSET, "offset-second-reversed", header(u8("a", 0, 4), entry("b", "U8", "[2]", 4, 2)), 4);
        table.header(OFFSET, "offset-beyond",
                header(u8("a", 0, 4), entry("b", "U8", "[4]", HALF, "9223372036854775812")), 4);
        table.header(OFFSET, "offset-unsigned-order", header(entry("b", "U8", "[4]", HALF, HUGE), u8("a", 1, 4)), 4);
        String[] attack =
                IntStream.range(0, 10).mapToObj(i -> entry("t" + i, "I32", "[2,2]", 0, 16)).toArray(String[]::new);
        table.header(OFFSET, "offset-json-attack", header(attack), 16);
    }

    private static void empties(VerdictFiles table) {
        String zero = entry("z", "I32", "[2,0]", 0, 0);
        table.header(OK, "empty-alone", header(zero), 0);
        table.header(OK, "empty-before", header(zero, u8("a", 0, 4)), 4);
        table.header(OK, "empty-before-listed-after", header(u8("a", 0, 4), zero), 4);
        table.header(OK, "empty-between", header(u8("b", 4, 8), entry("z", "F32", "[0]", 4, 4), u8("a", 0, 4)), 8);
        table.header(OK, "empty-after", header(u8("a", 0, 4), entry("z", "F32", "[0,5]", 4, 4)), 4);
        table.header(OK, "empty-many",
                header(zero, entry("y", "F64", "[0]", 0, 0), u8("a", 0, 4), entry("x", "U8", "[0]", 4, 4),
                        entry("w", "U8", "[3,0,3]", 4, 4)),
                4);
        table.header(OFFSET, "empty-inside", header(u8("a", 0, 4), entry("z", "F32", "[0]", 2, 2)), 4);
        table.header(OFFSET, "empty-past-end", header(u8("a", 0, 4), entry("z", "F32", "[0]", 8, 8)), 4);
        table.header(OFFSET, "empty-past-end-alone", header(entry("z", "F32", "[0]", 4, 4)), 4);
        table.header(OK, "empty-f4", header(entry("z", "F4", "[0]", 0, 0)), 0);
        table.header(OK, "empty-scalar-shape", header(entry("a", "I32", "[]", 0, 4)), 4);
        table.header(OK, "empty-rank-1000", header(entry("a", "U8", "[1" + ",1".repeat(999) + "]", 0, 1)), 1);
        table.header(OK, "empty-rank-100000", header(entry("a", "U8", "[1" + ",1".repeat(99_999) + "]", 0, 1)), 1);
        // Valid for the reference, but not for a Java long.
        table.header(UNSUPPORTED, "policy-empty-huge", header(entry("a", "U8", "[0," + HUGE + "," + HUGE + "]", 0, 0)),
                0);
        table.header(UNSUPPORTED, "policy-empty-2-63", header(entry("a", "U8", "[0," + HALF + "]", 0, 0)), 0);
        table.header(UNSUPPORTED, "policy-empty-2-63-first", header(entry("a", "U8", "[" + HALF + ",0]", 0, 0)), 0);
        table.header(UNSUPPORTED, "policy-empty-product", header(entry("a", "U8", "[4611686018427387904,2,0]", 0, 0)),
                0);
        table.header(OK, "empty-largest-long", header(entry("a", "U8", "[9223372036854775807,0]", 0, 0)), 0);
        table.header(OFFSET, "empty-huge-after-hole",
                header(entry("a", "U8", "[0," + HUGE + "]", 0, 0), u8("b", 1, 2)), 2);
        table.header(BUFFER, "empty-huge-with-data", header(entry("a", "U8", "[0," + HUGE + "]", 0, 0)), 4);
    }

    private static void overflows(VerdictFiles table) {
        String[] shapes = {"[2,18446744073709551614]", "[2,9223372036854775807]", "[" + HUGE + "," + HUGE + ",0]",
            "[4294967296,4294967296]", "[4294967296,4294967296,0]", "[" + HUGE + ",2]", "[2,2," + HALF + "]",
            "[2305843009213693952]", "[3," + HALF + "]"};
        for (int i = 0; i < shapes.length; i++) {
            table.header(OVERFLOW, "overflow-" + i, header(entry("a", "I32", shapes[i], 0, 16)), 16);
        }
        table.header(OVERFLOW, "overflow-bits", header(entry("a", "U8", "[2305843009213693952]", 0, 16)), 16);
        table.header(INFO, "overflow-not-bits", header(entry("a", "U8", "[2305843009213693951]", 0, 16)), 16);
        table.header(BUFFER, "overflow-lying-end",
                header(entry("a", "U8", "[1152921504606846976]", "0", "1152921504606846976")), 16);
    }

    private static void sizes(VerdictFiles table) {
        String[] sub = {"F4", "F6_E2M3", "F6_E3M2"};
        for (String dtype : sub) {
            table.header(MISALIGNED, "bits-one-" + dtype, header(entry("a", dtype, "[1]", 0, 1)), 1);
            table.header(MISALIGNED, "bits-scalar-" + dtype, header(entry("a", dtype, "[]", 0, 1)), 1);
            table.header(MISALIGNED, "bits-three-" + dtype, header(entry("a", dtype, "[1,3]", 0, 2)), 2);
            table.header(OK, "bits-sixteen-" + dtype,
                    header(entry("a", dtype, "[4,4]", 0, dtype.equals("F4") ? 8 : 12)),
                    dtype.equals("F4") ? 8 : 12);
        }
        table.header(OK, "bits-f6-four", header(entry("a", "F6_E2M3", "[4]", 0, 3)), 3);
        table.header(MISALIGNED, "bits-f6-two", header(entry("a", "F6_E2M3", "[2]", 0, 2)), 2);
        table.header(OK, "bits-f4-two", header(entry("a", "F4", "[2]", 0, 1)), 1);
        table.header(INFO, "size-less", header(entry("a", "I32", "[2,2]", 0, 4)), 4);
        table.header(INFO, "size-more", header(entry("a", "I32", "[1]", 0, 16)), 16);
        table.header(INFO, "size-none", header(entry("a", "I32", "[1]", 0, 0)), 0);
        table.header(INFO, "size-empty-shape", header(entry("a", "I32", "[0]", 0, 4)), 4);
        table.header(INFO, "size-f4-as-bytes", header(entry("a", "F4", "[4]", 0, 4)), 4);
    }

    private static void ends(VerdictFiles table) {
        String header = header(entry("test", "I32", "[2,2]", 0, 16));
        table.header(OK, "end-exact", header, 16);
        table.header(BUFFER, "end-one-short", header, 15);
        table.header(BUFFER, "end-two-short", header, 14);
        table.header(BUFFER, "end-no-data", header, 0);
        table.header(BUFFER, "end-one-more", header, 17);
        table.header(BUFFER, "end-polyglot", header, 16 + "extra_bogus_data_for_polyglot_file".length());
        table.header(BUFFER, "end-nothing-with-data", "{}", 1);
        table.header(BUFFER, "end-2-60", header(entry("a", "U8", "[1152921504606846976]", "0", "1152921504606846976")),
                4);
        // 2^64 is added to the file's length: the reference's unchecked sum must not come out right.
        table.header(BUFFER, "end-2-64-less-1",
                header(entry("a", "U8", "[1]", 0, 1), entry("b", "U8", "[2305843009213693950]",
                        "1", "2305843009213693951")),
                1);
    }

    // Each check goes before the next ones, tensor by tensor in the order of offsets.
    private static void orders(VerdictFiles table) {
        table.header(OFFSET, "order-offset-before-overflow", header(entry("a", "I32", "[" + HUGE + ",2]", 1, 4)), 4);
        table.header(OVERFLOW, "order-overflow-before-offset-of-next",
                header(entry("b", "U8", "[1]", 9, 10), entry("a", "I32", "[" + HUGE + ",2]", 0, 4)), 4);
        table.header(MISALIGNED, "order-bits-before-size", header(entry("a", "F4", "[3]", 0, 8)), 8);
        table.header(INFO, "order-size-before-end", header(entry("a", "U8", "[3]", 0, 4)), 40);
        table.header(INFO, "order-first-tensor-first",
                header(entry("b", "F4", "[1]", 4, 8), entry("a", "U8", "[3]", 0, 4)), 8);
        table.header(MISALIGNED, "order-second-tensor", header(entry("b", "F4", "[1]", 4, 8), u8("a", 0, 4)), 8);
        table.header(BUFFER, "order-end-last", header(u8("a", 0, 4)), 3);
    }

    private static String u8(String name, long begin, long end) {
        return entry(name, "U8", "[" + (end - begin) + "]", begin, end);
    }
}
