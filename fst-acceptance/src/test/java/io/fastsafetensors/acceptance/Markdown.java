package io.fastsafetensors.acceptance;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads a document's blocks of code and its tables of commands.
final class Markdown {
    private static final Pattern FENCE =
            Pattern.compile("^ *```(\\w*)\\n(.*?)^ *```$", Pattern.MULTILINE | Pattern.DOTALL);
    private static final Pattern LAST_CELL = Pattern.compile("^\\|.*\\| (.*) \\|$");
    private static final Pattern CODE = Pattern.compile("`([^`]+)`");

    private final String text;

    private Markdown(String text) {
        this.text = text;
    }

    static Markdown read(Path file) throws IOException {
        return new Markdown(Files.readString(file));
    }

    /// The blocks in this language, in order; those without one are named "".
    List<String> blocks(String language) {
        return FENCE.matcher(text).results().filter(block -> block.group(1).equals(language))
                .map(block -> block.group(2)).toList();
    }

    /// The one block in this language that has this text.
    String block(String language, String part) {
        List<String> found = blocks(language).stream().filter(block -> block.contains(part)).toList();
        if (found.size() != 1) {
            throw new AssertionError(found.size() + " blocks of " + language + " have \"" + part + "\"");
        }
        return found.getFirst();
    }

    /// The commands of a block, one a line, without their remarks.
    static List<String> commands(String block) {
        return block.lines().map(line -> line.replaceFirst(" {2,}# .*", "").strip()).filter(line -> !line.isEmpty())
                .toList();
    }

    /// The last column, headed `run`, of a table: one command in each row.
    List<String> commandColumn() {
        List<String> commands = new ArrayList<>();
        boolean inside = false;
        for (String line : (Iterable<String>) text.lines()::iterator) {
            Matcher row = LAST_CELL.matcher(line);
            if (line.matches("[|-]+")) {
                continue;
            } else if (!row.matches()) {
                inside = false;
            } else if (row.group(1).equals("run")) {
                inside = true;
            } else if (inside) {
                Matcher code = CODE.matcher(row.group(1));
                if (!code.matches()) {
                    throw new AssertionError("not one command: " + line);
                }
                commands.add(code.group(1));
            }
        }
        return commands;
    }
}
