package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.json.JsonMapper;

class JsonTest {
    @Test
    void ordinary_text_stays_as_it_is() {
        assertEquals("\"model.layers.0 été 漢字 😀\"", SafeText.quote("model.layers.0 été 漢字 😀"));
        assertEquals("a\\b \"c\" 漢字", SafeText.printable("a\\b \"c\" 漢字"));
    }

    @Test
    void what_could_forge_a_row_or_command_a_terminal_is_escaped() {
        assertEquals("\"a\\u0009b\\u000ac\\u000d\"", SafeText.quote("a\tb\nc\r"));
        assertEquals("\\u001b[31m\\u0007", SafeText.printable("\u001b[31m\u0007"));
        assertEquals("\\u0085\\u2028\\u2029\\u007f", SafeText.printable("\u0085\u2028\u2029\u007f"));
        assertEquals("\\u202egnp.exe\\u200b\\udb40\\udc41", SafeText.printable("\u202egnp.exe\u200b\udb40\udc41"));
        assertEquals("\\ud800x\\udc00", SafeText.printable("\ud800x\udc00"));
        assertEquals("\"\\\"\\\\\"", SafeText.quote("\"\\"));
    }

    @Test
    void any_text_comes_back_from_a_json_parser() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        RandomGenerator random = new Random(seed);
        for (int round = 0; round < 500; round++) {
            StringBuilder text = new StringBuilder();
            int length = random.nextInt(20);
            for (int i = 0; i < length; i++) {
                text.append((char) random.nextInt(random.nextBoolean() ? 0x100 : 0x10000));
            }
            String quoted = SafeText.quote(text.toString());
            String hint = "-Dfst.seed=" + seed + ", round " + round + ": " + quoted;
            assertEquals(text.toString(), JsonMapper.shared().readTree(quoted).asString(), hint);
            assertTrue(quoted.chars().noneMatch(c -> c < 0x20 || c == 0x7F || c >= 0x80 && c < 0xA0), hint);
        }
    }
}
