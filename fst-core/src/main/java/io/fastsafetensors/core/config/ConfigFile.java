package io.fastsafetensors.core.config;

import io.fastsafetensors.core.config.ConfigValue.Member;
import io.fastsafetensors.core.config.ConfigValue.Place;
import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.json.JsonFactory;

/// Reads a JSON file into values that know their places.
///
/// A file is small and read as a whole; it may come from anywhere, so its size, its depth and its numbers are bounded.
/// A key that comes twice is an error, because one of the two would be silently without effect.
final class ConfigFile {
    /// Bytes of a configuration; a larger file is something else that was named by mistake.
    private static final long LONGEST = 1 << 20;
    /// Levels of objects and lists; settings have three.
    private static final int DEEPEST = 8;
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(DEEPEST).build()).build();

    private final Path file;
    private final JsonParser parser;

    private ConfigFile(Path file, JsonParser parser) {
        this.file = file;
        this.parser = parser;
    }

    /// The file's object.
    ///
    /// @throws ConfigException if it cannot be read or is no JSON object
    static ConfigValue read(Path file) {
        return parse(file, text(file));
    }

    /// The object in a text.
    ///
    /// @param file what errors call it
    /// @throws ConfigException if it is no JSON object
    static ConfigValue parse(Path file, String text) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), text)) {
            ConfigFile reader = new ConfigFile(file, parser);
            if (parser.nextToken() != JsonToken.START_OBJECT) {
                throw reader.place().error("not an object");
            }
            ConfigValue value = reader.value();
            if (parser.nextToken() != null) {
                throw reader.place().error("more text after the object");
            }
            return value;
        } catch (JacksonException e) {
            TokenStreamLocation at = e.getLocation();
            throw ConfigException.at(file, at == null ? 1 : at.getLineNr(), at == null ? 1 : at.getColumnNr(),
                    "no JSON: " + String.valueOf(e.getOriginalMessage()).lines().findFirst().orElse(""));
        }
    }

    /// Every way of not reading it is an error that names the file.
    private static String text(Path file) {
        try {
            if (Files.size(file) > LONGEST) {
                throw new ConfigException("a configuration of more than " + LONGEST + " bytes", Where.file(file));
            }
            return Files.readString(file, StandardCharsets.UTF_8);
        } catch (NoSuchFileException e) {
            throw new ConfigException("there is no such configuration file", Where.file(file));
        } catch (CharacterCodingException e) {
            throw new ConfigException("the configuration is not UTF-8", Where.file(file));
        } catch (IOException e) {
            throw new ConfigException("cannot read the configuration: " + e, Where.file(file));
        }
    }

    private Place place() {
        TokenStreamLocation at = parser.currentTokenLocation();
        return new Place.InFile(file, at.getLineNr(), at.getColumnNr());
    }

    /// The value that the parser is at.
    private ConfigValue value() {
        Place place = place();
        return new ConfigValue(content(place), true, place);
    }

    /// In Java's types, as [ConfigValue] says them.
    private @Nullable Object content(Place place) {
        return switch (parser.currentToken()) {
            case START_OBJECT -> members();
            case START_ARRAY -> elements();
            case VALUE_STRING -> parser.getString();
            case VALUE_TRUE -> true;
            case VALUE_FALSE -> false;
            case VALUE_NULL -> null;
            case VALUE_NUMBER_INT -> switch (parser.getNumberType()) {
                case INT, LONG -> parser.getLongValue();
                default -> throw place.error("a number that does not fit 64 bits");
            };
            case VALUE_NUMBER_FLOAT -> parser.getDoubleValue();
            case null, default -> throw place.error("no value");
        };
    }

    private List<ConfigValue> elements() {
        List<ConfigValue> elements = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            elements.add(value());
        }
        return elements;
    }

    /// Each with the place of its key, which is where an unknown one is wrong.
    private Map<String, Member> members() {
        Map<String, Member> members = new LinkedHashMap<>();
        for (String name = parser.nextName(); name != null; name = parser.nextName()) {
            Place place = place();
            parser.nextToken();
            if (members.putIfAbsent(name, new Member(place, value())) != null) {
                throw place.error("\"" + name + "\" twice");
            }
        }
        return members;
    }
}
