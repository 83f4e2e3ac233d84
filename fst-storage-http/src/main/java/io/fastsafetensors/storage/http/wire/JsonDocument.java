package io.fastsafetensors.storage.http.wire;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// Reads small documents of JSON: objects become maps, arrays lists, numbers texts.
public final class JsonDocument {
    private static final JsonFactory FACTORY = JsonFactory.builder().build();

    private JsonDocument() {
    }

    /// Reads a document.
    ///
    /// @throws IllegalArgumentException if it is none, without repeating it
    public static Object parse(byte[] document) {
        try (JsonParser parser = FACTORY.createParser(ObjectReadContext.empty(), document)) {
            Object value = value(parser, parser.nextToken());
            if (value == null || parser.nextToken() != null) {
                throw new IllegalArgumentException("the answer is no single JSON value");
            }
            return value;
        } catch (JacksonException e) {
            throw new IllegalArgumentException("the answer is no JSON");
        }
    }

    private static @Nullable Object value(JsonParser parser, @Nullable JsonToken token) {
        if (token == JsonToken.START_OBJECT) {
            Map<String, Object> object = new LinkedHashMap<>();
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                Object value = value(parser, parser.nextToken());
                if (value != null) {
                    object.put(name, value);
                }
            }
            return object;
        }
        if (token == JsonToken.START_ARRAY) {
            List<Object> array = new ArrayList<>();
            for (JsonToken next = parser.nextToken(); next != JsonToken.END_ARRAY; next = parser.nextToken()) {
                Object value = value(parser, next);
                if (value != null) {
                    array.add(value);
                }
            }
            return array;
        }
        return token == null || token == JsonToken.VALUE_NULL ? null : parser.getString();
    }

    /// A text or a number of an object.
    public static Optional<String> text(@Nullable Object object, String name) {
        return member(object, name).filter(String.class::isInstance).map(String.class::cast);
    }

    /// A member of an object.
    public static Optional<Object> member(@Nullable Object object, String name) {
        return object instanceof Map<?, ?> map ? Optional.ofNullable((Object) map.get(name)) : Optional.empty();
    }
}
