package io.fastsafetensors.core.config;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.types.ByteSize;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A configured value, read as what it has to be. Of files, JSON's types count; of properties and
/// variables, the text: `true` in a file is no text and `"true"` no truth value, while a property has nothing but text.
/// Immutable. Every reading throws the [ConfigException] of its place if the value is something else.
///
/// @param content a String, Long, Double, Boolean, List of values, Map of members, or null
/// @param typed whether it has a type besides text
/// @param place where it stands
record ConfigValue(@Nullable Object content, boolean typed, Place place) {
    /// A key of a section with its value.
    ///
    /// @param place where the key stands
    /// @param value what it is set to
    record Member(Place place, ConfigValue value) {
    }

    /// The origin of a configured value. It goes with each value until it was used, so that what refuses one, however far
    /// from the file, names the line that has to be changed.
    sealed interface Place {
        /// The error that a value there is, to be thrown by the caller.
        ///
        /// @param detail what is wrong with it
        ConfigException error(String detail);

        /// In a file.
        ///
        /// @param file the file
        /// @param line from 1
        /// @param column from 1
        record InFile(Path file, int line, int column) implements Place {
            @Override
            public ConfigException error(String detail) {
                return ConfigException.at(file, line, column, detail);
            }
        }

        /// In a system property or an environment variable.
        ///
        /// @param what which one
        record Outside(String what) implements Place {
            @Override
            public ConfigException error(String detail) {
                return new ConfigException(what + ": " + detail, Where.nowhere());
            }
        }
    }

    /// A property or variable.
    static ConfigValue ofText(String text, Place place) {
        return new ConfigValue(text, false, place);
    }

    /// JSON's `null`, which unsets what has a default; no text of a property is null.
    boolean isNull() {
        return content == null;
    }

    /// @throws ConfigException if it is no text
    String text() {
        if (content instanceof String text) {
            return text;
        }
        throw expected("a text");
    }

    /// `true` or `false` and nothing like them, such as 1 or yes.
    ///
    /// @throws ConfigException if it is neither
    boolean flag() {
        if (content instanceof Boolean flag) {
            return flag;
        }
        if (!typed && ("true".equals(content) || "false".equals(content))) {
            return "true".equals(content);
        }
        throw expected("true or false");
    }

    /// @throws ConfigException if it is no integer of 64 bits
    long integer() {
        try {
            if (content instanceof Long number) {
                return number;
            }
            if (!typed) {
                return Long.parseLong(String.valueOf(content).strip());
            }
        } catch (NumberFormatException e) {
            throw expected("an integer");
        }
        throw expected("an integer");
    }

    /// An integer of some range.
    ///
    /// @throws ConfigException if it is outside of them
    int integer(int least, int most) {
        long value = integer();
        if (value < least || value > most) {
            throw place.error(value + " is not between " + least + " and " + most);
        }
        return (int) value;
    }

    /// A number of bytes: an integer, or a text with a unit.
    ///
    /// @throws ConfigException if it is neither, or negative
    long size() {
        if (content instanceof Long number && number >= 0) {
            return number;
        }
        try {
            if (content instanceof String text) {
                return ByteSize.parse(text);
            }
        } catch (IllegalArgumentException e) {
            throw place.error(String.valueOf(e.getMessage()));
        }
        throw expected("a number of bytes, or a text such as \"8GiB\"");
    }

    /// As [#size()], of a range.
    int size(int most) {
        long value = size();
        if (value > most) {
            throw place.error(value + " bytes are more than " + most);
        }
        return (int) value;
    }

    /// The constant of that name in lower case.
    <E extends Enum<E>> E oneOf(E[] constants) {
        List<String> words = new ArrayList<>();
        for (E constant : constants) {
            String word = constant.name().toLowerCase(Locale.ROOT);
            if (word.equals(content)) {
                return constant;
            }
            words.add(word);
        }
        throw expected("one of " + String.join(", ", words));
    }

    /// One text or several.
    List<String> texts() {
        if (content instanceof List<?> list) {
            return list.stream().map(ConfigValue.class::cast).map(ConfigValue::text).toList();
        }
        return List.of(text());
    }

    /// Texts by name: a section, or `name=value,name=value`.
    Map<String, String> pairs() {
        Map<String, String> pairs = new LinkedHashMap<>();
        if (typed) {
            section().forEach((name, member) -> pairs.put(name, member.value.text()));
            return pairs;
        }
        for (String pair : text().split(",", -1)) {
            int equals = pair.indexOf('=');
            if (equals < 1) {
                throw expected("name=value, name=value and so on");
            }
            pairs.put(pair.substring(0, equals).strip(), pair.substring(equals + 1).strip());
        }
        return pairs;
    }

    /// The members of an object, in its order.
    ///
    /// @throws ConfigException if it is no object
    Map<String, Member> section() {
        if (content instanceof Map<?, ?> map) {
            Map<String, Member> members = new LinkedHashMap<>();
            map.forEach((name, member) -> members.put((String) name, (Member) member));
            return members;
        }
        throw expected("an object");
    }

    /// @param what the kind that it should be, with an article
    private ConfigException expected(String what) {
        String found = switch (content) {
            case null -> "null";
            case String text -> "\"" + text + "\"";
            case List<?> _ -> "a list";
            case Map<?, ?> _ -> "an object";
            default -> String.valueOf(content);
        };
        return place.error("expected " + what + ", found " + found);
    }
}
