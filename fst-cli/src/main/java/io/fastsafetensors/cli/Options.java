package io.fastsafetensors.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;
import picocli.CommandLine.ParseResult;

/// Describing options, and reading them as what they mean.
final class Options {
    private Options() {
    }

    static void flag(CommandSpec spec, String name, String description) {
        spec.addOption(OptionSpec.builder(name).arity("0").type(boolean.class).description(description).build());
    }

    static void value(CommandSpec spec, String name, String label, String description) {
        spec.addOption(
                OptionSpec.builder(name).paramLabel(label).type(String.class).description(description).build());
    }

    static void values(CommandSpec spec, String name, String label, String description) {
        spec.addOption(OptionSpec.builder(name).paramLabel(label).arity("1").type(List.class)
                .auxiliaryTypes(String.class).description(description).build());
    }

    static void paths(CommandSpec spec, String arity, String description) {
        spec.addPositional(PositionalParamSpec.builder().paramLabel("PATH").arity(arity).type(List.class)
                .auxiliaryTypes(String.class).description(description).build());
    }

    static void format(CommandSpec spec) {
        value(spec, "--format", "FORMAT", "text (default), tsv or json");
    }

    static boolean isSet(ParseResult line, String name) {
        return line.hasMatchedOption(name);
    }

    static @Nullable String value(ParseResult line, String name) {
        return line.matchedOptionValue(name, null);
    }

    static List<String> values(ParseResult line, String name) {
        return line.matchedOptionValue(name, List.of());
    }

    /// An option's value, read by a function that throws IllegalArgumentException at what it cannot read.
    static <T> T read(ParseResult line, String name, String fallback, Function<String, T> reader) {
        String text = line.matchedOptionValue(name, fallback);
        try {
            return reader.apply(text);
        } catch (NumberFormatException e) {
            throw new UsageException(name + ": \"" + Json.printable(text) + "\" is no number");
        } catch (IllegalArgumentException e) {
            throw new UsageException(name + ": " + e.getMessage());
        }
    }

    static Table.Format format(ParseResult line) {
        return oneOf(line, "--format", Table.Format.TEXT, Table.Format.values());
    }

    /// An option whose values are the names of constants in lower case.
    static <E extends Enum<E>> E oneOf(ParseResult line, String name, E fallback, E[] constants) {
        String text = value(line, name);
        if (text == null) {
            return fallback;
        }
        List<String> words = new ArrayList<>();
        for (E constant : constants) {
            String word = constant.name().toLowerCase(Locale.ROOT);
            if (word.equals(text)) {
                return constant;
            }
            words.add(word);
        }
        throw new UsageException(
                name + ": \"" + Json.printable(text) + "\" is none of " + String.join(", ", words));
    }

    /// The paths of the command line as they were given.
    static List<String> paths(ParseResult line) {
        return line.matchedPositionalValue(0, List.of());
    }

    static Path path(String text) {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new UsageException("\"" + Json.printable(text) + "\" is no path: " + e.getReason());
        }
    }
}
