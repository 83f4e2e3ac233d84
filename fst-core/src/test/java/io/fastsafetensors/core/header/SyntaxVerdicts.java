package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.VerdictFiles.OK;

/// Check 5, JSON itself: white space, strings, numbers, nesting, the root.
final class SyntaxVerdicts {
    private static final String JSON = "InvalidHeaderDeserialization";
    private static final String GOOD = entry("a", "U8", "[4]", 0, 4);

    private SyntaxVerdicts() {
    }

    static void addTo(VerdictFiles table) {
        whiteSpace(table);
        roots(table);
        strings(table);
        numbers(table);
        nesting(table);
    }

    private static void whiteSpace(VerdictFiles table) {
        table.header(OK, "space-none", "{}", 0);
        table.header(OK, "space-after", "{}\r \t\n", 0);
        table.header(OK, "space-before", "\t\n{}\r ", 0);
        table.header(OK, "space-inside",
                "{ \"a\" : { \"dtype\" :\n\"U8\" ,\t\"shape\":[ 4 ],\r\"data_offsets\":[ 0 , 4 ] } }",
                4);
        table.header(OK, "space-much", " ".repeat(200_000) + "{" + GOOD + "}" + "\n".repeat(200_000), 4);
        String[] refused =
                {"\0", "\f", "\u000b", "\u00a0", "\u2028", "\ufeff", "\u001e", "\u0085", "//\n", "/**/", "#\n"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "space-bad-before-" + i, refused[i] + "{}", 0);
            table.header(JSON, "space-bad-inside-" + i, "{" + refused[i] + GOOD + "}", 4);
            table.header(JSON, "space-bad-after-" + i, "{}" + refused[i], 0);
        }
    }

    private static void roots(VerdictFiles table) {
        String[] refused = {"", " ", "{", "}", "[]", "[{}]", "[{},{}]", "null", "true", "1", "\"a\"", "{}{}", "{} {}",
            "{},", "{}x", "{}]", "{]", "{,}", "{\"a\"}", "{\"a\":}", "{a:1}", "{'a':1}", "{" + GOOD + ",}",
            "{" + GOOD + " " + entry("b", "U8", "[0]", 4, 4) + "}", "{" + GOOD, "{" + GOOD + "}}", "{\"a\" " + GOOD,
            "{\"a\":null}", "{\"a\":1}", "{\"a\":\"x\"}", "{\"a\":true}", "{\"a\":[]}", "{\"a\":{}}", "{\"a\":nul}",
            "{\"a\":nulll}", "{\"a\":NaN}", "{1:2}", "{\"a\":{\"dtype\":undefined}}"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "root-bad-" + i, refused[i], 4);
        }
        table.header(JSON, "root-ends-in-name", "{\"abc", 0);
        table.header(JSON, "root-ends-in-escape", "{\"abc\\u00", 0);
    }

    private static void strings(VerdictFiles table) {
        String[] names = {"", " ", "\\u0000", "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\\ud83d\\ude00", "\\uD83D\\uDE00",
            "\u007f",
            "\u2028", "ä\\u00e4", "\\uffff", "😀", "../../etc/passwd", "\\u202e", "__METADATA__", "_metadata_", "a.b"};
        for (int i = 0; i < names.length; i++) {
            table.header(OK, "name-good-" + i, "{" + entry(names[i], "U8", "[4]", 0, 4) + "}", 4);
        }
        table.header(OK, "name-long", "{" + entry("n".repeat(1_000_000), "U8", "[4]", 0, 4) + "}", 4);
        String[] refused = {"\0", "\n", "\t", "\u001f", "\\ud800", "\\udc00", "\\ud800x", "\\ud800\\n",
            "\\ud800\\u0041",
            "\\ude00\\ud83d", "\\ud83d😀", "😀\\ude00", "\\x", "\\u12", "\\u12g4", "\\", "\\'", "\\U0041", "\\0"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "name-bad-" + i, "{" + entry(refused[i], "U8", "[4]", 0, 4) + "}", 4);
            table.header(JSON, "text-bad-" + i, extra("\"" + refused[i] + "\""), 4);
            table.header(JSON, "text-bad-key-" + i, extra("{\"" + refused[i] + "\":1}"), 4);
            table.header(JSON, "text-bad-metadata-" + i, "{\"__metadata__\":{\"k\":\"" + refused[i] + "\"}}", 0);
            table.header(JSON, "text-bad-metadata-key-" + i, "{\"__metadata__\":{\"" + refused[i] + "\":\"v\"}}", 0);
        }
        table.header(OK, "text-long", extra("\"" + "x".repeat(1_000_000) + "\""), 4);
        table.header(OK, "text-pairs", extra("[\"\\ud83d\\ude00\",\"😀\\u0000\",{\"\\ud83d\\ude00\":\"\"}]"), 4);
    }

    private static void numbers(VerdictFiles table) {
        String[] accepted = {"0", "-0", "-1", "1.5", "1e5", "1E+5", "1e-5", "0.0", "-0.0e0", "18446744073709551616",
            "1e308",
            "1.7976931348623157e308", "-1e308", "0e99999999999", "0e5000", "0.000e400", "1e-400", "1e-99999999999",
            "123456789".repeat(30), "1" + "0".repeat(308), "0." + "0".repeat(400) + "1e450",
            "1" + "0".repeat(400) + "e-300",
            "0." + "1".repeat(5000), "1" + "0".repeat(5000) + "e-5000", "-9223372036854775809",
            "18446744073709551615.5e288", "18446744073709551619.5e288", "0" + ".0".repeat(1) + "e2147483648"};
        for (int i = 0; i < accepted.length; i++) {
            table.header(OK, "number-good-" + i, extra(accepted[i]), 4);
        }
        String[] refused =
                {"1e400", "-1e400", "1e309", "1.7976931348623159e308", "1" + "0".repeat(309), "9".repeat(400),
                    "1e99999999999", "1e2147483648", "-1.0e999", "1" + "0".repeat(400) + ".5",
                    "0." + "0".repeat(10) + "1e400", "01",
                    "-01", "00", "+1", "1.", ".5", "-", "1e", "1e+", "--1", "0x10", "1_000", "Infinity", "-Infinity",
                    "NaN", "1a",
                    "1.e5", "1e5.5", "-.5", "٣"};
        for (int i = 0; i < refused.length; i++) {
            table.header(JSON, "number-bad-" + i, extra(refused[i]), 4);
        }
    }

    private static void nesting(VerdictFiles table) {
        // The root and the entry are two levels already.
        int[] depths = {3, 120, 126, 127, 128, 129, 200, 100_000};
        for (int depth : depths) {
            int inner = depth - 2;
            String verdict = depth <= 127 ? OK : JSON;
            table.header(verdict, "nesting-arrays-" + depth, extra("[".repeat(inner) + "]".repeat(inner)), 4);
            table.header(verdict, "nesting-objects-" + depth,
                    extra("{\"x\":".repeat(inner - 1) + "{}" + "}".repeat(inner - 1)), 4);
        }
        table.header(JSON, "nesting-open", extra("[".repeat(125)), 4);
        table.header(JSON, "nesting-crossed", extra("[{]}"), 4);
    }

    /// A valid header with an extra field of this value.
    private static String extra(String value) {
        return "{\"a\":{\"dtype\":\"U8\",\"x\":" + value + ",\"shape\":[4],\"data_offsets\":[0,4]}}";
    }
}
