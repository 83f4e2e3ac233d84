package io.fastsafetensors.cli;

import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// A command line, read as what it means.
///
/// @param options the values of each option given, by name; an empty text for an option without a value
/// @param paths the other arguments, as they were given
record Line(Map<String, List<String>> options, List<String> paths) {
    // As in Location: one letter is a drive of Windows.
    private static final Pattern ADDRESS = Pattern.compile("[A-Za-z][A-Za-z0-9+.-]+:");

    boolean isSet(String option) {
        return options.containsKey(option);
    }

    @Nullable
    String value(String option) {
        List<String> values = options.get(option);
        return values == null ? null : values.getFirst();
    }

    String value(String option, String fallback) {
        String value = value(option);
        return value == null ? fallback : value;
    }

    List<String> values(String option) {
        return options.getOrDefault(option, List.of());
    }

    /// An option's value, read by a function that throws IllegalArgumentException at what it cannot read.
    <T> T read(String option, String fallback, Function<String, T> reader) {
        String text = value(option, fallback);
        try {
            return reader.apply(text);
        } catch (NumberFormatException e) {
            throw new UsageException(option + ": \"" + text + "\" is not a number");
        } catch (IllegalArgumentException e) {
            throw new UsageException(option + ": " + e.getMessage());
        }
    }

    /// Passes an option's value, if it is given, to `taker`; its IllegalArgumentException becomes a usage error.
    void ifSet(String option, Consumer<String> taker) {
        if (isSet(option)) {
            read(option, "", text -> {
                taker.accept(text);
                return text;
            });
        }
    }

    /// An option whose values are the names of constants in lower case.
    <E extends Enum<E>> E oneOf(String option, E fallback, E[] constants) {
        String text = value(option);
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
        throw new UsageException(option + ": \"" + text + "\" is not one of " + String.join(", ", words));
    }

    /// An option whose value is a dtype, by the format's name or another framework's.
    Optional<DType> dtype(String option) {
        return Optional.ofNullable(value(option)).map(text -> DType.parse(text).orElseThrow(
                () -> new UsageException(option + ": unknown dtype \"" + text
                        + "\"; examples: BF16, F8_E4M3, bfloat16, float8_e4m3fn")));
    }

    Table.Format format() {
        return oneOf("--format", Table.Format.TEXT, Table.Format.values());
    }

    /// A path to write to, or of a file of this machine.
    static Path path(String text) {
        if (text.isEmpty()) {
            // Such as "$UNSET" in a script: not the working directory.
            throw new UsageException("a path is empty; the working directory is .");
        }
        try {
            return RawArguments.path(text);
        } catch (InvalidPathException e) {
            throw new UsageException("\"" + text + "\" is not a path: " + e.getReason());
        }
    }

    /// A checkpoint to read: a path, or an address with a scheme.
    static Location location(String text) {
        try {
            return ADDRESS.matcher(text).lookingAt() ? Location.of(text) : Location.of(path(text));
        } catch (IllegalArgumentException e) {
            throw new UsageException("\"" + text + "\" is not a location: " + e.getMessage());
        }
    }
}
