package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;
import static io.fastsafetensors.core.header.VerdictFiles.OK;

import io.fastsafetensors.types.DType;

/// Check 5, what the JSON says: fields, dtypes, metadata, names that come twice.
final class EntryVerdicts {
    private static final String JSON = "InvalidHeaderDeserialization";
    private static final String TWICE = "DuplicateTensorName";

    private EntryVerdicts() {
    }

    static void addTo(VerdictFiles table) {
        dtypes(table);
        fields(table);
        integers(table);
        metadata(table);
        duplicates(table);
    }

    private static void dtypes(VerdictFiles table) {
        for (DType dtype : DType.values()) {
            table.header(OK, "dtype-" + dtype, header(entry("a", dtype.name(), "[8]", 0, dtype.bits())), dtype.bits());
        }
        String[] refused = {"f32", "F128", "", "F32 ", "F8", "F6", "bool", "I4", "U4", "C128", "F8_E4M3FN", "F3\\u0033",
            "F32\\u0000"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "dtype-bad-" + i, header(entry("a", refused[i], "[1]", 0, 4)), 4);
        }
        table.header(OK, "dtype-escaped", header(entry("a", "\\u00463\\u0032", "[1]", 0, 4)), 4);
        String[] values = {"null", "1", "true", "[\"F32\"]", "{}", "{\"F32\":1}", "{\"F32\":{}}", "{\"F32\":[]}",
            "{\"F32\":null,\"F16\":null}", "{\"F32\":null,\"F32\":null}", "{\"f32\":null}", "{\"F32\":\"F32\"}"};
        for (int i = 0; i < values.length; i++) {
            table.header(JSON, "dtype-bad-value-" + i,
                    "{\"a\":{\"dtype\":" + values[i] + ",\"shape\":[1],\"data_offsets\":[0,4]}}", 4);
        }
        table.header(OK, "dtype-as-object", "{\"a\":{\"dtype\":{\"F32\":null},\"shape\":[1],\"data_offsets\":[0,4]}}",
                4);
    }

    private static void fields(VerdictFiles table) {
        String dtype = "\"dtype\":\"U8\"";
        String shape = "\"shape\":[4]";
        String range = "\"data_offsets\":[0,4]";
        String[][] orders = {{dtype, shape, range}, {dtype, range, shape}, {shape, dtype, range}, {shape, range, dtype},
            {range, dtype, shape}, {range, shape, dtype}};
        for (int i = 0; i < orders.length; i++) {
            table.header(OK, "field-order-" + i, one(orders[i]), 4);
            table.header(JSON, "field-missing-" + i, one(orders[i][0], orders[i][1]), 4);
            table.header(JSON, "field-twice-" + i, one(orders[i][0], orders[i][1], orders[i][2], orders[i][i % 3]), 4);
        }
        table.header(OK, "field-unknown",
                one("\"x\":1", dtype, "\"y\":{\"z\":[null]}", shape, range, "\"x\":2", "\"\":\"\""), 4);
        table.header(OK, "field-escaped", one("\"d\\u0074ype\":\"U8\"", "\"\\u0073hape\":[4]", range), 4);
        table.header(JSON, "field-escaped-twice", one("\"d\\u0074ype\":\"U8\"", dtype, shape, range), 4);
        table.header(JSON, "field-wrong-case", one("\"Dtype\":\"U8\"", shape, range), 4);
        table.header(OK, "field-metadata", one(dtype, shape, range, "\"__metadata__\":3"), 4);
        table.header(JSON, "field-only-unknown", one("\"x\":1"), 4);
        String[] ranges =
                {"[]", "[0]", "[0,4,4]", "null", "4", "\"0,4\"", "{}", "{\"0\":0,\"1\":4}", "[[0,4]]", "[0,null]",
                    "[\"0\",\"4\"]", "[0,4"};
        for (int i = 0; i < ranges.length; i++) {
            table.header(JSON, "field-bad-range-" + i, one(dtype, shape, "\"data_offsets\":" + ranges[i]), 4);
        }
        String[] shapes = {"null", "4", "{}", "\"4\"", "[[4]]", "[null]", "[\"4\"]", "[true]", "[4,]", "[,4]"};
        for (int i = 0; i < shapes.length; i++) {
            table.header(JSON, "field-bad-shape-" + i, one(dtype, "\"shape\":" + shapes[i], range), 4);
        }
        // Where the reference is milder.
        table.header(JSON, "policy-array", "{\"a\":[\"U8\",[4],[0,4]]}", 4);
        table.header(JSON, "policy-array-after", header(entry("b", "U8", "[4]", 0, 4), "\"a\":[\"U8\",[0],[4,4]]"), 4);
    }

    private static void integers(VerdictFiles table) {
        String[] refused = {"-1", "-0", "4.0", "4e0", "4E0", "04", "18446744073709551616", "18446744073709551620",
            "28446744073709551615", "184467440737095516150", "99999999999999999999999", "1e400", "0.0", "-4", "\"4\""};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "integer-bad-dim-" + i, header(entry("a", "U8", "[" + refused[i] + "]", 0, 4)), 4);
            table.header(JSON, "integer-bad-begin-" + i, header(entry("a", "U8", "[4]", refused[i], "4")), 4);
            table.header(JSON, "integer-bad-end-" + i, header(entry("a", "U8", "[4]", "0", refused[i])), 4);
        }
        table.header("ValidationOverflow", "integer-largest-end",
                header(entry("a", "U8", "[18446744073709551615]", "0", "18446744073709551615")), 4);
        table.header("InvalidOffset", "integer-largest-begin",
                header(entry("a", "U8", "[4]", "18446744073709551615", "4")), 4);
    }

    private static void metadata(VerdictFiles table) {
        String tensor = entry("a", "U8", "[4]", 0, 4);
        String[] accepted =
                {"null", "{}", "{\"k\":\"v\"}", "{\"k\":\"v\",\"k\":\"w\"}", "{\"\":\"\"}", "{\"a\":\"{\\\"b\\\":1}\"}",
                    "{\"k\":\"" + "v".repeat(300_000) + "\"}"};
        for (int i = 0; i < accepted.length; i++) {
            table.header(OK, "metadata-first-" + i, header("\"__metadata__\":" + accepted[i], tensor), 4);
            table.header(OK, "metadata-last-" + i, header(tensor, "\"__metadata__\":" + accepted[i]), 4);
        }
        String[] refused =
                {"1", "true", "\"x\"", "[]", "[[\"k\",\"v\"]]", "{\"k\":1}", "{\"k\":null}", "{\"k\":{}}", "{\"k\":[]}",
                    "{\"k\":true}", "{\"k\"}", "{\"k\":1.5}"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "metadata-bad-" + i, header("\"__metadata__\":" + refused[i], tensor), 4);
        }
        table.header(JSON, "metadata-twice", header("\"__metadata__\":{}", tensor, "\"__metadata__\":{}"), 4);
        table.header(JSON, "metadata-twice-null", header("\"__metadata__\":null", tensor, "\"__metadata__\":null"), 4);
        table.header(JSON, "metadata-twice-escaped", header("\"__metadata__\":{}", "\"\\u005f_metadata__\":{}"), 4);
        table.header(JSON, "metadata-upper-case", "{\"__METADATA__\":{}}", 0);
        table.header(JSON, "metadata-upper-case-text", "{\"__METADATA__\":{\"k\":\"v\"}}", 0);
    }

    private static void duplicates(VerdictFiles table) {
        String first = entry("a", "I32", "[4]", 0, 16);
        table.header(TWICE, "policy-twice-identical", header(first, first), 16);
        table.header(TWICE, "policy-twice-other-dtype", header(first, entry("a", "F32", "[4]", 0, 16)), 16);
        table.header(TWICE, "policy-twice-escaped", header(first, entry("\\u0061", "F32", "[4]", 0, 16)), 16);
        table.header(TWICE, "policy-twice-hole", header(first, entry("a", "I32", "[4]", 16, 32)), 32);
        table.header(TWICE, "policy-twice-empty-name",
                header(entry("", "U8", "[0]", 0, 0), entry("", "U8", "[0]", 0, 0)), 0);
        table.header(TWICE, "policy-twice-then-bad-end", header(first, first), 17);
        table.header(TWICE, "policy-twice-pair",
                header(entry("😀", "U8", "[0]", 0, 0), entry("\\ud83d\\ude00", "U8", "[0]", 0, 0)),
                0);
        // What is wrong with the JSON goes first, wherever it is.
        table.header(JSON, "twice-then-bad-json", header(first, first) + "x", 16);
        table.header(JSON, "twice-then-bad-entry", header(first, first, "\"b\":{}"), 16);
        table.header(JSON, "twice-with-bad-entry", header(first, "\"a\":[]"), 16);
        table.header(OK, "twice-by-case-only", header(entry("a", "U8", "[0]", 0, 0), entry("A", "U8", "[0]", 0, 0)), 0);
        table.header(OK, "twice-unnormalised",
                header(entry("é", "U8", "[0]", 0, 0), entry("e\u0301", "U8", "[0]", 0, 0)), 0);
    }

    private static String one(String... fields) {
        return "{\"a\":{" + String.join(",", fields) + "}}";
    }
}
