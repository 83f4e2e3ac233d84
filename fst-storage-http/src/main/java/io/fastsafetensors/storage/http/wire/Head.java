package io.fastsafetensors.storage.http.wire;

import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeParseException;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// Status and headers of an answer. Immutable.
public final class Head {
    private final int status;
    private final boolean persistent;
    private final Map<String, String> headers;

    private Head(int status, boolean persistent, Map<String, String> headers) {
        this.status = status;
        this.persistent = persistent;
        this.headers = headers;
    }

    /// Reads the lines before the empty one.
    static Head parse(String text) throws IOException {
        String[] lines = text.split("\r?\n");
        String first = lines[0];
        if (!first.matches("HTTP/1\\.[01] [1-5][0-9][0-9]( .*)?")) {
            throw new IOException("the answer is no HTTP/1.1");
        }
        Map<String, String> headers = new HashMap<>();
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            if (colon <= 0) {
                throw new IOException("the answer has a header without a name");
            }
            String name = lines[i].substring(0, colon).toLowerCase(Locale.ROOT);
            String value = lines[i].substring(colon + 1).strip();
            headers.merge(name, value, (a, b) -> a.equals(b) ? a : a + ", " + b);
        }
        String connection = headers.getOrDefault("connection", "").toLowerCase(Locale.ROOT);
        boolean persistent = first.startsWith("HTTP/1.1") ? !connection.contains("close")
                : connection.contains("keep-alive");
        return new Head(Integer.parseInt(first.substring(9, 12)), persistent, headers);
    }

    /// The status code.
    public int status() {
        return status;
    }

    boolean isPersistent() {
        return persistent;
    }

    /// A header's value; those of several headers of one name are separated by commas.
    ///
    /// @param name in lower case
    public Optional<String> header(String name) {
        return Optional.ofNullable(headers.get(name));
    }

    /// The Content-Length; −1 without one.
    long contentLength() throws IOException {
        String text = headers.get("content-length");
        if (text == null) {
            return -1;
        }
        if (!text.matches("[0-9]{1,18}")) {
            throw new IOException("the answer has a Content-Length that is no number");
        }
        return Long.parseLong(text);
    }

    /// Whether the body comes in chunks.
    ///
    /// @throws IOException if it is transformed otherwise on its way: its bytes would be others
    boolean isChunked() throws IOException {
        String coding = headers.getOrDefault("transfer-encoding", "identity").toLowerCase(Locale.ROOT);
        if (!coding.equals("chunked") && !coding.equals("identity") && !coding.isEmpty()) {
            throw new IOException("the answer has Transfer-Encoding " + coding.replaceAll("[^ -~]", "?")
                    + " though none was asked for; switch compression off in the server or in what lies between");
        }
        return coding.equals("chunked");
    }

    /// The content coding that changes the bytes, if there is one.
    Optional<String> contentCoding() {
        return header("content-encoding").map(c -> c.toLowerCase(Locale.ROOT))
                .filter(c -> !c.isEmpty() && !c.equals("identity") && !c.equals("aws-chunked"));
    }

    /// How long the server asks to wait before the next try; a time is one of the server's clock, if its answer tells that.
    Optional<Duration> retryAfter() {
        return header("retry-after").flatMap(text -> text.matches("[0-9]{1,9}")
                ? Optional.of(Duration.ofSeconds(Long.parseLong(text)))
                : time(text).map(
                        then -> Duration.between(header("date").flatMap(Head::time).orElseGet(Instant::now), then)));
    }

    /// How far this machine's clock is ahead of the server's, as the Date header says; negative if it is behind.
    Optional<Duration> clockAhead() {
        return header("date").flatMap(Head::time).map(then -> Duration.between(then, Instant.now()));
    }

    private static Optional<Instant> time(String text) {
        try {
            return Optional.of(ZonedDateTime.parse(text, DateTimeFormatter.RFC_1123_DATE_TIME).toInstant());
        } catch (DateTimeParseException _) {
            return Optional.empty();
        }
    }
}
