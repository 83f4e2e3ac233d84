package io.fastsafetensors.core.header;

import java.nio.charset.StandardCharsets;

/// Checks 1 to 4: lengths and UTF-8. The reference's own tests are among them.
final class LengthVerdicts {
    private static final String SMALL = "HeaderTooSmall";
    private static final String LARGE = "HeaderTooLarge";
    private static final String LENGTH = "InvalidHeaderLength";
    private static final String UTF8 = "InvalidHeader";

    private LengthVerdicts() {
    }

    static void addTo(VerdictFiles table) {
        byte[] empty = {'{', '}'};
        for (int size = 0; size < 8; size++) {
            table.file(SMALL, "length-file-of-" + size, new byte[size]);
        }
        table.file(LENGTH, "length-alone", TestFile.raw(0x3C, new byte[0], 0));
        table.file(LENGTH, "length-one-more", TestFile.raw(3, empty, 0));
        table.file(VerdictFiles.OK, "length-exact", TestFile.raw(2, empty, 0));
        table.file("InvalidHeaderDeserialization", "length-one-less", TestFile.raw(1, empty, 0));
        table.file("InvalidHeaderDeserialization", "length-zero", TestFile.raw(0, new byte[0], 0));
        table.file("InvalidHeaderDeserialization", "length-zero-with-data", TestFile.raw(0, empty, 8));
        table.file(LENGTH, "length-at-cap", TestFile.raw(100_000_000, empty, 0));
        table.file(LARGE, "length-over-cap", TestFile.raw(100_000_001, empty, 0));
        table.file(LARGE, "length-upstream-too-large", TestFile.raw(0xFFFFFFFF_0000003CL, new byte[52], 16));
        table.file(LARGE, "length-2-63", TestFile.raw(Long.MIN_VALUE, empty, 0));
        table.file(LARGE, "length-2-63-less-1", TestFile.raw(Long.MAX_VALUE, empty, 0));
        table.file(LARGE, "length-2-64-less-1", TestFile.raw(-1, empty, 0));
        table.file(LARGE, "length-2-64-less-8", TestFile.raw(-8, empty, 0));

        byte[][] broken = {{(byte) 0xFF}, {(byte) 0xC0, (byte) 0x80}, {(byte) 0xC1, (byte) 0xBF},
            {(byte) 0xED, (byte) 0xA0, (byte) 0x80}, {(byte) 0xF4, (byte) 0x90, (byte) 0x80, (byte) 0x80},
            {(byte) 0xE0, (byte) 0x80, (byte) 0xAF}, {(byte) 0xE2, (byte) 0x82}, {(byte) 0x80},
            {(byte) 0xF0, (byte) 0x9F, (byte) 0x98}, {(byte) 0xF5, (byte) 0x80, (byte) 0x80, (byte) 0x80}};
        for (int i = 0; i < broken.length; i++) {
            table.file(UTF8, "utf8-alone-" + i, TestFile.of(broken[i], 0));
            table.file(UTF8, "utf8-in-name-" + i, TestFile.of(around("{\"a", broken[i], "\":1}"), 0));
            table.file(UTF8, "utf8-after-object-" + i, TestFile.of(around("{}", broken[i], ""), 0));
            table.file(UTF8, "utf8-after-bad-json-" + i, TestFile.of(around("]", broken[i], ""), 0));
        }
        String padding = " ".repeat(300_000);
        table.file(UTF8, "utf8-far-after-bad-json", TestFile.of(around("{]" + padding, broken[0], "x"), 0));
        table.file(UTF8, "utf8-far-after-two-names",
                TestFile.of(around("{\"a\":1,\"a\":2" + padding, broken[0], ""), 0));
        table.file(UTF8, "utf8-before-offsets", TestFile.of(
                around("{" + TestFile.entry("a", "U8", "[1]", 5, 6) + "}" + padding, broken[6], ""), 0));
        for (int shift = 0; shift < 8; shift++) {
            // Characters of two to four bytes over the edges of any buffer.
            String name = "x".repeat(shift) + "é€😀".repeat(20_000);
            table.header(VerdictFiles.OK, "utf8-long-name-" + shift,
                    "{" + TestFile.entry(name, "U8", "[1]", 0, 1) + "}",
                    1);
        }
    }

    private static byte[] around(String before, byte[] bytes, String after) {
        byte[] head = before.getBytes(StandardCharsets.UTF_8);
        byte[] tail = after.getBytes(StandardCharsets.UTF_8);
        byte[] all = new byte[head.length + bytes.length + tail.length];
        System.arraycopy(head, 0, all, 0, head.length);
        System.arraycopy(bytes, 0, all, head.length, bytes.length);
        System.arraycopy(tail, 0, all, head.length + bytes.length, tail.length);
        return all;
    }
}
