package io.fastsafetensors.core.header;

import io.fastsafetensors.error.Printable;
import java.io.Reader;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.SerializableString;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.TokenStreamFactory;
import tools.jackson.core.TokenStreamLocation;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.exc.UnexpectedEndOfInputException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonReadFeature;

/// Walks over one JSON object, with what the reference implementation refuses beyond JSON's grammar: escapes that
/// are half a surrogate pair, numbers that overflow a double, nesting deeper than 127. Every complaint is a
/// [JacksonException]. Not thread-safe.
///
/// Nothing else in this package drives the parser. Values that are passed over are looked at as well: the reference reads
/// them, and refuses the header for what is wrong with them.
///
/// The reference is serde_json, whose reader of numbers and limit of recursion are part of its verdicts; `Numbers`
/// follows its arithmetic. The parser behind this streams: no tree is built, and of the text only a buffer is in
/// memory.
final class JsonCursor implements AutoCloseable {
    /// The reference counts 128 levels down and refuses the last; the root object is the first.
    private static final int MAX_DEPTH = 127;

    /// Above this, one more decimal digit may not fit 64 bits.
    private static final long MAX_TENTH = Long.divideUnsigned(-1L, 10);
    private static final int MAX_LAST_DIGIT = 5;

    /// Size is limited by the header's cap alone. Names are not interned: a header's names are all different.
    private static final JsonFactory FACTORY = JsonFactory.builder()
            .streamReadConstraints(StreamReadConstraints.builder().maxNestingDepth(MAX_DEPTH)
                    .maxStringLength(Integer.MAX_VALUE).maxNameLength(Integer.MAX_VALUE)
                    .maxNumberLength(Integer.MAX_VALUE).maxDocumentLength(-1).maxTokenCount(-1).build())
            .disable(TokenStreamFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
            .disable(TokenStreamFactory.Feature.INTERN_PROPERTY_NAMES).build();

    /// Of what Python writes: NaN and Infinity are numbers there.
    private static final JsonFactory PYTHON =
            FACTORY.rebuild().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

    /// Asked for each string, so it is cheap; it never goes back to false.
    private final BooleanSupplier mayEscape;
    private final boolean python;
    private final JsonParser parser;

    /// @param mayEscape whether there can be an escape in what was read so far; only where there is are strings looked at
    JsonCursor(Reader text, BooleanSupplier mayEscape) {
        this(text, mayEscape, false);
    }

    /// @param python whether NaN and Infinity are numbers
    JsonCursor(Reader text, BooleanSupplier mayEscape, boolean python) {
        this.mayEscape = mayEscape;
        this.python = python;
        parser = (python ? PYTHON : FACTORY).createParser(ObjectReadContext.empty(), text);
    }

    /// Steps into the root object.
    ///
    /// @throws JacksonException if the text does not begin with an object
    void beginDocument() {
        if (next() != JsonToken.START_OBJECT) {
            throw problem("not an object");
        }
    }

    /// Makes sure that nothing but white space follows the root object.
    ///
    /// @throws JacksonException if there is more
    void endDocument() {
        if (next() != null) {
            throw problem("more text after the object");
        }
    }

    /// The next token, null at the end.
    ///
    /// @throws JacksonException if the text is no JSON, or nested too deep
    @Nullable
    JsonToken next() {
        return parser.nextToken();
    }

    /// The next name of the object, null at its end.
    @Nullable
    String nextName() {
        return checked(parser.nextName());
    }

    /// Whether the next name is `guess`, which then costs no string; [#name()] is the name if not.
    ///
    /// A name that was not guessed is decoded by [#name()], not here.
    boolean nextNameIs(SerializableString guess) {
        return parser.nextName(guess);
    }

    /// The name just read, null at the object's end.
    @Nullable
    String name() {
        return parser.currentToken() == JsonToken.PROPERTY_NAME ? checked(parser.currentName()) : null;
    }

    /// The string just read.
    ///
    /// @param what what it is, for the complaint if it is no string
    String string(String what) {
        requireString(what);
        String text = parser.getString();
        checked(text);
        return text;
    }

    /// The characters of the string just read: [#offset()], [#length()]. They are the parser's own and change with the
    /// next token.
    char[] characters(String what) {
        requireString(what);
        return parser.getStringCharacters();
    }

    /// Where the string begins in its characters.
    int offset() {
        return parser.getStringOffset();
    }

    /// How many characters the string has.
    int length() {
        return parser.getStringLength();
    }

    /// The unsigned 64-bit integer just read.
    ///
    /// @param what what it is, for the complaint if it is none
    long unsigned(String what) {
        if (parser.currentToken() != JsonToken.VALUE_NUMBER_INT) {
            throw problem(what + " is not an integer");
        }
        char[] text = parser.getStringCharacters();
        int offset = parser.getStringOffset();
        int end = offset + parser.getStringLength();
        if (text[offset] == '-') {
            throw problem(what + " is negative");
        }
        long value = 0;
        for (int i = offset; i < end; i++) {
            int digit = text[i] - '0';
            if (overflows(value, digit)) {
                throw problem(what + " does not fit 64 bits");
            }
            value = value * 10 + digit;
        }
        return value;
    }

    /// The scalar just read, as it is spelled.
    ///
    /// @return made for this call; a number as it stands in the text
    String text() {
        return parser.getString();
    }

    /// Passes over the next value, whatever it is. Its strings and numbers are looked at all the same.
    void skipValue() {
        int depth = 0;
        do {
            depth = skip(next(), depth);
        } while (depth > 0);
    }

    /// Whether the token just read begins an object or an array. A caller that does not want what it found passes over
    /// the rest of it then.
    boolean isBegun() {
        return parser.currentToken() == JsonToken.START_OBJECT || parser.currentToken() == JsonToken.START_ARRAY;
    }

    /// Passes over the rest of the object or array that was just begun.
    void skipRest() {
        int depth = 1;
        while (depth > 0) {
            depth = skip(next(), depth);
        }
    }

    /// Looks at one token that nobody wants.
    ///
    /// @return the depth after it
    private int skip(@Nullable JsonToken token, int depth) {
        if (token == null) {
            return depth;
        }
        switch (token) {
            case START_OBJECT, START_ARRAY -> {
                return depth + 1;
            }
            case END_OBJECT, END_ARRAY -> {
                return depth - 1;
            }
            case PROPERTY_NAME -> checked(parser.currentName());
            case VALUE_STRING -> checked(parser.getString());
            case VALUE_NUMBER_INT, VALUE_NUMBER_FLOAT -> requireReadable(parser.getStringCharacters());
            default -> {
            }
        }
        return depth;
    }

    /// The next value, whatever it is, as JSON in ASCII; numbers as they are spelled.
    ///
    /// @throws JacksonException if it is what the reference refuses
    String copyValue() {
        StringBuilder out = new StringBuilder();
        int depth = 0;
        // Whether a value or a name goes before the next one in its object or array.
        boolean first = true;
        boolean named = false;
        do {
            JsonToken token = next();
            boolean ends = token == JsonToken.END_OBJECT || token == JsonToken.END_ARRAY;
            if (!first && !named && !ends) {
                out.append(',');
            }
            depth = skip(token, depth);
            named = token == JsonToken.PROPERTY_NAME;
            first = token == JsonToken.START_OBJECT || token == JsonToken.START_ARRAY;
            switch (token) {
                case START_OBJECT -> out.append('{');
                case END_OBJECT -> out.append('}');
                case START_ARRAY -> out.append('[');
                case END_ARRAY -> out.append(']');
                case PROPERTY_NAME -> quote(parser.currentName(), out).append(':');
                case VALUE_STRING -> quote(parser.getString(), out);
                case null, default -> out.append(parser.getString());
            }
        } while (depth > 0);
        return out.toString();
    }

    /// In ASCII, so that the text may be written in any encoding.
    private static StringBuilder quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ' && c < 0x7F) {
                out.append(c);
            } else {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) c));
            }
        }
        return out.append('"');
    }

    /// A complaint at the current place. To be thrown by the caller.
    StreamReadException problem(String text) {
        return new StreamReadException(parser, text);
    }

    @Override
    public void close() {
        parser.close();
    }

    /// What is wrong, and where in the text.
    static String describe(JacksonException e) {
        TokenStreamLocation place = e.getLocation();
        String where = place == null ? "" : " at line " + place.getLineNr() + ", column " + place.getColumnNr();
        String text = switch (e) {
            case UnexpectedEndOfInputException _ -> "the JSON ends too early";
            case StreamConstraintsException _ -> "nested deeper than " + MAX_DEPTH;
            default -> Printable.escape(String.valueOf(e.getOriginalMessage()));
        };
        return text + where;
    }

    private void requireString(String what) {
        if (parser.currentToken() != JsonToken.VALUE_STRING) {
            throw problem(what + " is not a string");
        }
    }

    /// Whether `digits × 10 + digit` exceeds unsigned 64 bits.
    private static boolean overflows(long digits, int digit) {
        int order = Long.compareUnsigned(digits, MAX_TENTH);
        return order > 0 || (order == 0 && digit > MAX_LAST_DIGIT);
    }

    /// @throws JacksonException if the number overflows a double, unless the text is Python's
    private void requireReadable(char[] text) {
        if (!python && !Numbers.isReadable(text, parser.getStringOffset(), parser.getStringLength())) {
            throw problem("a number out of range");
        }
    }

    /// Decoded UTF-8 has whole pairs only: a half one comes from an escape.
    ///
    /// @throws JacksonException if half of a surrogate pair is in it
    private @Nullable String checked(@Nullable String string) {
        if (string != null && mayEscape.getAsBoolean()) {
            for (int i = 0; i < string.length(); i++) {
                if (Character.isSurrogate(string.charAt(i))) {
                    if (i + 1 == string.length()
                            || !Character.isSurrogatePair(string.charAt(i), string.charAt(i + 1))) {
                        throw problem("half a surrogate pair");
                    }
                    i++;
                }
            }
        }
        return string;
    }

    /// Takes the reference implementation's view of JSON numbers, computed on their text without allocating. A class of its
    /// own, so that a header without numbers to pass over, which is every ordinary one, computes no powers.
    private static final class Numbers {
        private static final double[] POWERS = new double[309];

        static {
            for (int i = 0; i < POWERS.length; i++) {
                POWERS[i] = Double.parseDouble("1e" + i);
            }
        }

        /// Whether a valid JSON number is one that the reference reads at all. It refuses what overflows a double by its
        /// own way of computing, which is not exactly rounded; so the same steps are taken here: up to 64 bits of digits,
        /// then a scale by powers of ten.
        static boolean isReadable(char[] text, int offset, int length) {
            int end = offset + length;
            int at = text[offset] == '-' ? offset + 1 : offset;
            long digits = 0;
            while (at < end && isDigit(text[at]) && !overflows(digits, text[at] - '0')) {
                digits = digits * 10 + (text[at++] - '0');
            }
            if (at == end) {
                return true;
            }
            int exponent = 0;
            for (; at < end && isDigit(text[at]); at++) {
                exponent++;
            }
            if (at < end && text[at] == '.') {
                at++;
                for (; at < end && isDigit(text[at]) && !overflows(digits, text[at] - '0'); at++) {
                    digits = digits * 10 + (text[at] - '0');
                    exponent--;
                }
                while (at < end && isDigit(text[at])) {
                    at++;
                }
            }
            return at == end ? isFinite(digits, exponent) : isFinite(digits, exponent, text, at + 1, end);
        }

        /// Reads the exponent, whose digits may be any number.
        ///
        /// @param offset where it begins, a sign perhaps
        private static boolean isFinite(long digits, int exponent, char[] text, int offset, int end) {
            boolean negative = text[offset] == '-';
            int at = negative || text[offset] == '+' ? offset + 1 : offset;
            long power = 0;
            for (; at < end; at++) {
                power = power * 10 + (text[at] - '0');
                if (power > Integer.MAX_VALUE) {
                    return negative || digits == 0;
                }
            }
            long sum = exponent + (negative ? -power : power);
            return isFinite(digits, Math.clamp(sum, Integer.MIN_VALUE + 1, Integer.MAX_VALUE));
        }

        /// Whether `digits × 10^exponent` is finite as the reference computes it.
        private static boolean isFinite(long digits, int exponent) {
            if (exponent <= 0 || digits == 0) {
                return true;
            }
            if (exponent >= POWERS.length) {
                return false;
            }
            return Double.isFinite(unsignedToDouble(digits) * POWERS[exponent]);
        }

        private static double unsignedToDouble(long value) {
            // The lowest bit is kept in the half, so that halving does not round.
            return value >= 0 ? value : ((value >>> 1) | (value & 1)) * 2.0;
        }

        private static boolean isDigit(char c) {
            return c >= '0' && c <= '9';
        }
    }
}
