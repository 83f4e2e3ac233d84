package io.fastsafetensors.types;

import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Names a file or a directory that some storage holds: a [Path] of any file system, or an address with a scheme, such as
/// `https://host/model.safetensors`, `s3://bucket/model` or `hf:org/name@revision`. A value: immutable, says nothing of
/// what is there.
///
/// In an address `/` separates names, and a name is percent-encoded UTF-8. What follows a `?` belongs to the address and is
/// kept by [#resolve(String)]; it may hold a secret, as may the part before an `@`, so [#toString()] shows neither.
///
/// ```java
/// Location.of("model.safetensors");                       // a relative path
/// Location.of("s3://bucket/llama/model.safetensors.index.json");
/// Location.of(Path.of("/models/llama"));
/// Location.of(bytes);                                     // a file in memory
/// ```
public final class Location {
    // One letter is a drive of Windows.
    private static final Pattern ADDRESS = Pattern.compile("([A-Za-z][A-Za-z0-9+.-]+):(.*)", Pattern.DOTALL);
    private static final Pattern USER = Pattern.compile("^([A-Za-z0-9+.-]+://)[^/?#]*@");
    private static final String FILE = "file";
    private static final String MEMORY = "memory";
    private static final AtomicLong NUMBERS = new AtomicLong();

    private final @Nullable Path path;
    private final String scheme;
    private final String address;
    private final @Nullable MemorySegment memory;

    private Location(@Nullable Path path, String scheme, String address) {
        this(path, scheme, address, null);
    }

    private Location(@Nullable Path path, String scheme, String address, @Nullable MemorySegment memory) {
        this.path = path;
        this.scheme = scheme;
        this.address = address;
        this.memory = memory;
    }

    /// A path of the default file system or of any other one. A relative path is resolved against the working directory as
    /// the JVM knows it (`user.dir` at its start).
    public static Location of(Path path) {
        Objects.requireNonNull(path, "path");
        return new Location(path, path.getFileSystem().provider().getScheme(), path.toString());
    }

    /// A URI. One with the scheme `file` becomes a path.
    ///
    /// @throws IllegalArgumentException if it has no scheme, or is no usable `file` URI
    public static Location of(URI uri) {
        Objects.requireNonNull(uri, "uri");
        if (uri.getScheme() == null) {
            throw new IllegalArgumentException("a URI without a scheme: " + uri);
        }
        return of(uri.toString());
    }

    /// A path or an address. Text that begins with a scheme of two letters or more and a colon is an address; for a file of
    /// such a name write `./` before it.
    ///
    /// @throws IllegalArgumentException if it is no usable path, or no usable `file` URI
    public static Location of(String text) {
        Objects.requireNonNull(text, "text");
        Matcher parts = ADDRESS.matcher(text);
        if (!parts.matches()) {
            return of(Path.of(text));
        }
        String scheme = parts.group(1).toLowerCase(Locale.ROOT);
        return scheme.equals(FILE) ? of(pathOf(text)) : new Location(null, scheme, scheme + ":" + parts.group(2));
    }

    private static Path pathOf(String fileUri) {
        try {
            return Path.of(URI.create(fileUri));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException("not a usable file URI: " + fileUri + " (" + e.getMessage()
                    + "); write file:///DIRECTORY/FILE with %XX for special characters, or the path alone", e);
        }
    }

    /// The bytes of one file, in memory.
    ///
    /// @param file not copied; unchanged for as long as something is read from it
    public static Location of(byte[] file) {
        Objects.requireNonNull(file, "file");
        return of(MemorySegment.ofArray(Objects.requireNonNull(file, "file")));
    }

    /// The bytes of one file, in memory. Two locations of the same memory are equal.
    ///
    /// @param file not copied; alive and unchanged for as long as something is read from it
    /// @throws IllegalArgumentException if it belongs to one thread: loads read with several
    public static Location of(MemorySegment file) {
        Objects.requireNonNull(file, "file");
        if (!file.isAccessibleBy(new Thread())) {
            throw new IllegalArgumentException("the memory belongs to one thread and loads read with several: take it"
                    + " from Arena.ofShared() or Arena.ofAuto()");
        }
        return new Location(null, MEMORY,
                MEMORY + ":" + file.byteSize() + "-bytes-" + NUMBERS.incrementAndGet(), file.asReadOnly());
    }

    /// The bytes themselves, read-only, if this is a file in memory.
    public Optional<MemorySegment> memory() {
        return Optional.ofNullable(memory);
    }

    /// The scheme in lower case; `file` for a path of the default file system.
    public String scheme() {
        return scheme;
    }

    /// The path, if this is one.
    public Optional<Path> path() {
        return Optional.ofNullable(path);
    }

    /// Whether this is a path of the default file system, which the kernel can open.
    public boolean isLocal() {
        return path != null && path.getFileSystem().equals(FileSystems.getDefault());
    }

    /// The whole address, secrets included: what a storage works with, never what a message shows. The text of a path.
    public String address() {
        return address;
    }

    /// The bytes by which the kernel knows a local path: absolute, exactly as the file system has them, whatever the JVM's
    /// charset can say.
    ///
    /// @throws IllegalStateException unless [#isLocal()]
    public byte[] bytes() {
        if (path == null || !isLocal()) {
            throw new IllegalStateException(this + " is no path of the default file system");
        }
        if (path.isAbsolute() && isAscii(address)) {
            // The common case without the making of a URI.
            return address.getBytes(StandardCharsets.US_ASCII);
        }
        byte[] bytes = Percent.decode(path.toUri().getRawPath());
        // A URI says of a directory that it is one.
        int length = bytes.length;
        while (length > 1 && bytes[length - 1] == '/') {
            length--;
        }
        return Arrays.copyOf(bytes, length);
    }

    /// The last name, without encoding; empty if there is none. Bytes that are not UTF-8 appear as `\xNN`.
    public String name() {
        if (path != null) {
            Path last = path.getFileName();
            if (last == null) {
                return "";
            }
            return isExact(last.toString()) ? last.toString() : lastOf(text(bytes()));
        }
        return text(Percent.decode(lastOf(withoutQuery(address))));
    }

    private static String lastOf(String names) {
        String trimmed = names.endsWith("/") ? names.substring(0, names.length() - 1) : names;
        return trimmed.substring(Math.max(trimmed.lastIndexOf('/'), trimmed.lastIndexOf(':')) + 1);
    }

    /// The location of `name` in this directory.
    ///
    /// @param name one name, without encoding; the caller has seen to it that it is no path
    public Location resolve(String name) {
        Objects.requireNonNull(name, "name");
        if (path == null) {
            String base = withoutQuery(address);
            String query = address.substring(base.length());
            return new Location(null, scheme,
                    base + (base.endsWith("/") ? "" : "/") + Percent.encode(name, "") + query);
        }
        try {
            Location resolved = of(path.resolve(name));
            // A file system keeps bytes: a charset of the JVM's other than UTF-8 would make another file's of the name.
            if (!isLocal() || isAscii(name) || endsWith(resolved.bytes(), name.getBytes(StandardCharsets.UTF_8))) {
                return resolved;
            }
        } catch (InvalidPathException e) {
            if (!isLocal() || name.indexOf('\0') >= 0) {
                throw e;
            }
        }
        String directory = path.toUri().getRawPath();
        return of(Path.of(
                URI.create("file://" + directory + (directory.endsWith("/") ? "" : "/") + Percent.encode(name, ""))));
    }

    private static boolean isAscii(String name) {
        for (int i = 0; i < name.length(); i++) {
            if (name.charAt(i) >= 128) {
                return false;
            }
        }
        return true;
    }

    private static boolean endsWith(byte[] path, byte[] name) {
        int from = path.length - name.length;
        return from > 0 && path[from - 1] == '/' && Arrays.equals(path, from, path.length, name, 0, name.length);
    }

    /// The location of the directory that holds this; empty if nothing does.
    public Optional<Location> parent() {
        if (path != null) {
            return Optional.of(of(path.resolveSibling("")));
        }
        if (memory != null) {
            return Optional.empty();
        }
        String base = withoutQuery(address);
        String query = address.substring(base.length());
        int begin = base.startsWith(scheme + "://") ? scheme.length() + 3 : scheme.length() + 1;
        String names = base.endsWith("/") ? base.substring(0, base.length() - 1) : base;
        int slash = names.lastIndexOf('/');
        return slash < begin ? Optional.empty()
                : Optional.of(new Location(null, scheme, names.substring(0, slash) + query));
    }

    /// This location as an exception's place.
    public Where where() {
        return new Where(toString(), null, null, null);
    }

    private static String withoutQuery(String address) {
        int end = address.indexOf('?');
        return end < 0 ? address : address.substring(0, end);
    }

    // U+FFFD stands for what the JVM's charset could not decode.
    private static boolean isExact(String text) {
        return text.indexOf('\uFFFD') < 0;
    }

    private static String text(byte[] bytes) {
        try {
            return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        } catch (CharacterCodingException e) {
            StringBuilder text = new StringBuilder();
            for (byte b : bytes) {
                text.append(b >= 0 ? String.valueOf((char) b) : String.format(Locale.ROOT, "\\x%02X", b & 0xff));
            }
            return text.toString();
        }
    }

    /// Equal if the paths are, or the memory is the same, or the addresses are equal.
    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Location that && Objects.equals(path, that.path)
                && Objects.equals(memory, that.memory)
                && (path != null || memory != null || address.equals(that.address));
    }

    @Override
    public int hashCode() {
        return path != null ? path.hashCode() : memory != null ? memory.hashCode() : address.hashCode();
    }

    /// For messages: the path, or the address without what may be secret.
    @Override
    public String toString() {
        if (path != null) {
            return isExact(address) || !isLocal() ? address : text(bytes());
        }
        String base = withoutQuery(address);
        return USER.matcher(base).replaceFirst("$1\u2026@") + (base.length() < address.length() ? "?\u2026" : "");
    }
}
