package io.fastsafetensors.core.header;

import static io.fastsafetensors.core.header.TestFile.entry;
import static io.fastsafetensors.core.header.TestFile.header;

import java.nio.charset.StandardCharsets;
import java.util.random.RandomGenerator;

/// Files that are nearly right.
final class Mutations {
    private static final String[] VALID = {"{}", header(entry("test", "I32", "[2,2]", 0, 16)),
        header("\"__metadata__\":{\"format\":\"pt\",\"é\":\"\\ud83d\\ude00\"}", entry("a", "F4", "[2,3]", 0, 3),
                entry("b", "BF16", "[0]", 3, 3), entry("c.weight", "F32", "[3]", 3, 15),
                entry("d", "U8", "[1,1]", 15, 16)),
        "{\"a\":{\"x\":[1.5e3,null,{\"y\":\"z\"}],\"data_offsets\":[0,16],\"shape\":[2],\"dtype\":\"C64\"} } \n",
        header(entry("b", "F6_E2M3", "[4,4]", 4, 16), "\"__metadata__\":null", entry("a", "U32", "[]", 0, 4))};
    private static final String[] PIECES = {"{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0061", "\\ud800", "null",
        "true",
        "0", "-", "1", "4", "16", "9", ".5", "e5", "e400", "18446744073709551615", "9223372036854775808", "-0", " ",
        "\n",
        "\"a\"", "\"dtype\":", "\"shape\":", "\"data_offsets\":", "\"__metadata__\":{},", "\"F32\"", "F4", "[0,0]",
        "[0,16]",
        "\"x\":1,", "\"a\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},", "é", "😀", "\0", "\u007f"};

    private final RandomGenerator random;

    Mutations(RandomGenerator random) {
        this.random = random;
    }

    /// A file made from a valid one by a few changes.
    byte[] next() {
        StringBuilder text = new StringBuilder(VALID[random.nextInt(VALID.length)]);
        for (int left = random.nextInt(4); left > 0; left--) {
            change(text);
        }
        byte[] bytes = text.toString().getBytes(StandardCharsets.UTF_8);
        if (bytes.length > 0 && random.nextInt(8) == 0) {
            bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
        }
        long claimed = random.nextInt(16) == 0 ? random.nextInt(bytes.length + 40) : bytes.length;
        int data = random.nextInt(8) == 0 ? random.nextInt(40) : bytes.length <= 3 ? 0 : 16;
        return TestFile.raw(random.nextInt(64) == 0 ? random.nextLong() : claimed, bytes, data);
    }

    private void change(StringBuilder text) {
        int at = random.nextInt(text.length() + 1);
        int end = Math.min(text.length(), at + random.nextInt(1, 8));
        String piece = PIECES[random.nextInt(PIECES.length)];
        switch (random.nextInt(6)) {
            case 0 -> text.delete(at, end);
            case 1 -> text.insert(at, piece);
            case 2 -> text.replace(at, end, piece);
            case 3 -> text.insert(random.nextInt(text.length() + 1), text.substring(at, end));
            default -> changeNumber(text);
        }
    }

    private void changeNumber(StringBuilder text) {
        int at = random.nextInt(text.length() + 1);
        while (at < text.length() && !Character.isDigit(text.charAt(at))) {
            at++;
        }
        if (at < text.length()) {
            text.replace(at, at + 1, Integer.toString(random.nextInt(18)));
        }
    }
}
