package io.fastsafetensors.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/// Lines that are read without picocli mean what picocli makes of them.
class SyntaxTest {
    private static final List<String> WORDS = List.of("--flag", "--other", "--value", "--many", "--value=x", "--many=y",
            "--flag=z", "--value=", "--unknown", "-v", "-", "--", "path", "a=b", "", "--format", "tsv", "@file");

    private static Syntax syntax(int paths) {
        Syntax syntax = new Syntax().flag("--flag", "one").flag("--other", "two").value("--value", "VALUE", "three")
                .values("--many", "MANY", "four").format();
        return switch (paths) {
            case 0 -> syntax.paths(0, 2, "some");
            case 1 -> syntax.paths(1, Integer.MAX_VALUE, "any");
            default -> syntax.operands("IN", "from", "OUT", "to");
        };
    }

    private static String result(Syntax syntax, List<String> args, boolean picocli) {
        try {
            Line line = picocli ? Syntax.Picocli.parse(syntax, args) : syntax.parse(args);
            return new TreeMap<>(line.options()) + " " + line.paths();
        } catch (UsageException e) {
            return String.valueOf(e.getMessage());
        }
    }

    @Test
    void any_line_is_read_as_picocli_reads_it() {
        long number = new Random().nextLong();
        Random random = new Random(number);
        int read = 0;
        for (int i = 0; i < 3000; i++) {
            Syntax syntax = syntax(i % 3);
            List<String> args = new ArrayList<>();
            for (int words = random.nextInt(6); words > 0; words--) {
                args.add(WORDS.get(random.nextInt(WORDS.size())));
            }
            String expected = result(syntax, args, true);
            assertEquals(expected, result(syntax, args, false), () -> args + ", random " + number);
            read += expected.startsWith("{") ? 1 : 0;
        }
        assertTrue(read > 100, read + " lines were read");
    }
}
