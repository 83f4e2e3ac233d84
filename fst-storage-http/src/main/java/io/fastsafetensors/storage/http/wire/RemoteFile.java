package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.FileIdentity;
import io.fastsafetensors.spi.storage.OpenFile;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.LongFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// One version of a resource, read by ranges. Bodies go straight into the target, except by TLS, which decrypts into a small
/// array first. The version that the opening saw is asked for with each request and compared with each answer.
public final class RemoteFile extends OpenFile {
    private static final int READ_BYTES = 8 << 20;
    private static final long MOST = 1 << 30;
    private static final Pattern RANGE = Pattern.compile("bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})");
    private static final Pattern EMPTY = Pattern.compile("bytes \\*/([0-9]{1,18})");

    private final HttpClient client;
    private final Origin origin;
    private final Version version;
    private final FileIdentity identity;
    private final String storageName;
    private final int parallelReads;
    private final boolean lasting;
    private final Traffic traffic = new Traffic();

    private RemoteFile(HttpClient client, Origin origin, Version version, FileIdentity identity, boolean lasting,
            String storageName, int parallelReads) {
        super(origin.location());
        this.lasting = lasting;
        this.client = client;
        this.origin = origin;
        this.version = version;
        this.identity = identity;
        this.storageName = storageName;
        this.parallelReads = parallelReads;
    }

    /// Opens a resource by asking for its first byte, which tells length and version and shows that ranges are served.
    ///
    /// @param storageName in a word
    /// @param parallelReads how many reads at a time serve it best
    /// @throws StorageException if it is not there, or cannot be read by ranges
    public static RemoteFile open(HttpClient client, Origin origin, String storageName, int parallelReads) {
        Version version = probe(client, origin);
        return new RemoteFile(client, origin, version, version.identity(storageName + " object"),
                version.isLasting(), storageName, parallelReads);
    }

    /// As [#open(HttpClient, Origin, String, int)], for what is identified otherwise than by its ETag.
    ///
    /// @param identity of a version with so many bytes
    public static RemoteFile open(HttpClient client, Origin origin, String storageName, int parallelReads,
            LongFunction<FileIdentity> identity) {
        Version version = probe(client, origin);
        return new RemoteFile(client, origin, version, identity.apply(version.length()), true, storageName,
                parallelReads);
    }

    private static Version probe(HttpClient client, Origin origin) {
        Probe probe = new Probe(origin);
        client.run(origin, probe);
        Version version = probe.version;
        if (version == null) {
            throw new StorageException("there is no such file; check the address", origin.location().where());
        }
        if (!probe.ranges && version.length() != 0) {
            throw new StorageException(
                    "the server ignores ranges (it answers 200 instead of 206); serve the file by one "
                            + "that has them, or download it first",
                    origin.location().where());
        }
        return version;
    }

    /// Whether there is a resource.
    public static boolean exists(HttpClient client, Origin origin) {
        Probe probe = new Probe(origin);
        client.run(origin, probe);
        return probe.version != null;
    }

    @Override
    public long length() {
        return version.length();
    }

    @Override
    public FileIdentity identity() {
        return identity;
    }

    @Override
    public boolean hasLastingIdentity() {
        return lasting;
    }

    @Override
    public boolean isCurrent() {
        requireOpen();
        Probe probe = new Probe(origin);
        client.run(origin, probe);
        return probe.version == null || probe.version.isSame(version);
    }

    @Override
    public long read(long offset, MemorySegment target, long targetOffset, long bytes) {
        requireOpen();
        long size = Math.min(Math.min(bytes, MOST), version.length() - offset);
        if (size <= 0) {
            return 0;
        }
        client.run(origin, new RangeCall(offset, target, targetOffset, size));
        return size;
    }

    @Override
    public String storageName() {
        return storageName;
    }

    @Override
    public String reason() {
        return storageName + ", by ranges over HTTP/1.1" + (origin.address().tls() ? " and TLS" : "")
                + (traffic.toString().isEmpty() ? "" : ": " + traffic);
    }

    @Override
    public int preferredReadBytes() {
        return READ_BYTES;
    }

    @Override
    public int preferredParallelReads() {
        return parallelReads;
    }

    @Override
    protected void release() {
        // Connections belong to the client.
    }

    /// The location.
    @Override
    public String toString() {
        return storageName + " " + origin.location();
    }

    private static StorageException compressed(Head head, Where where) {
        return new StorageException("the answer has Content-Encoding " + head.contentCoding().orElse("")
                + " though identity was asked for; switch compression off in the server or in what lies between",
                where);
    }

    /// Asks for the first byte.
    private static final class Probe extends HttpCall {
        private final Origin origin;
        private @Nullable Version version;
        private boolean ranges;
        private boolean head;

        Probe(Origin origin) {
            this.origin = origin;
        }

        @Override
        String method() {
            return head ? "HEAD" : "GET";
        }

        @Override
        void describe(Headers headers) {
            if (!head) {
                headers.set("range", "bytes=0-0");
            }
        }

        @Override
        boolean accepts(int status) {
            return status == 200 || status == 206 || status == 404 || status == 410 || (status == 416 && !head);
        }

        @Override
        void receive(Connection connection, Head answer) throws IOException {
            Where where = origin.location().where();
            if (answer.status() != 404 && answer.contentCoding().isPresent()) {
                throw compressed(answer, where);
            }
            String range = answer.header("content-range").orElse("");
            switch (answer.status()) {
                case 206 -> {
                    Matcher parts = RANGE.matcher(range);
                    if (!parts.matches() || !parts.group(1).equals("0") || !parts.group(2).equals("0")) {
                        throw new StorageException("the answer to bytes 0-0 has "
                                + (range.isEmpty() ? "no Content-Range" : "Content-Range " + printable(range))
                                + ", so the file's length is unknown; the server is of no use for ranges", where);
                    }
                    version = Version.of(Long.parseLong(parts.group(3)), answer);
                    ranges = true;
                }
                case 200 -> {
                    long length = answer.contentLength();
                    if (length < 0) {
                        throw new StorageException("the server ignores ranges and tells no length (200 without "
                                + "Content-Length); download the file first", where);
                    }
                    version = Version.of(length, answer);
                }
                case 416 -> {
                    Matcher parts = EMPTY.matcher(range);
                    if (parts.matches() && Long.parseLong(parts.group(1)) == 0) {
                        version = Version.of(0, answer);
                    } else {
                        // Servers refuse a range of an empty file; some do not say so.
                        head = true;
                        throw new IOException("the server refuses the range of the first byte (416)");
                    }
                }
                default -> version = null;
            }
        }
    }

    /// Reads a range into native memory; goes on where the last try ended.
    private final class RangeCall extends HttpCall {
        private final long first;
        private final MemorySegment target;
        private final long targetOffset;
        private final long size;
        private long done;

        RangeCall(long first, MemorySegment target, long targetOffset, long size) {
            this.first = first;
            this.target = target;
            this.targetOffset = targetOffset;
            this.size = size;
        }

        @Override
        void describe(Headers headers) {
            headers.set("range", "bytes=" + (first + done) + "-" + (first + size - 1));
            version.strongTag().ifPresent(tag -> headers.set("if-match", tag));
        }

        @Override
        boolean accepts(int status) {
            return status == 200 || status == 206 || status == 404 || status == 410 || status == 412 || status == 416;
        }

        @Override
        long received() {
            return done;
        }

        @Override
        Traffic traffic() {
            return traffic;
        }

        @Override
        long offset() {
            return first + done;
        }

        @Override
        void receive(Connection connection, Head answer) throws IOException {
            switch (answer.status()) {
                case 206 -> receivePart(connection, answer);
                case 200 -> throw version.matches(answer)
                        ? failure("the server ignores the range (it answers 200 instead of 206); something between may "
                                + "have answered in its place")
                        : changed("it answers 200 with " + tag(answer));
                case 412 -> throw changed("it has no longer " + version.strongTag().orElse("that ETag"));
                case 416 -> throw changed("it ends before this range");
                default -> throw failure("the file is no longer there (" + answer.status()
                        + "), it was deleted during the load");
            }
        }

        private void receivePart(Connection connection, Head answer) throws IOException {
            if (answer.contentCoding().isPresent()) {
                throw compressed(answer, where());
            }
            String range = answer.header("content-range").orElse("");
            Matcher parts = RANGE.matcher(range);
            long left = size - done;
            if (!parts.matches() || Long.parseLong(parts.group(1)) != first + done
                    || Long.parseLong(parts.group(2)) != first + size - 1) {
                throw failure("the answer to bytes " + (first + done) + "-" + (first + size - 1) + " has "
                        + (range.isEmpty() ? "no Content-Range" : "Content-Range " + printable(range))
                        + "; the server, or what lies between, serves wrong ranges");
            }
            if (Long.parseLong(parts.group(3)) != version.length()) {
                throw changed("it has " + parts.group(3) + " bytes now, " + version.length() + " when it was opened");
            }
            if (!version.matches(answer)) {
                throw changed("it has " + tag(answer));
            }
            long length = answer.contentLength();
            if (length >= 0 && !answer.isChunked() && length != left) {
                throw failure("the answer to " + left + " bytes has Content-Length " + length
                        + "; the server, or what lies between, serves wrong ranges");
            }
            while (done < size) {
                long count = connection.read(target, targetOffset + done, size - done);
                if (count < 0) {
                    throw new EOFException("the answer ended " + (size - done) + " bytes early");
                }
                done += count;
            }
            if (answer.isChunked() && connection.read(MemorySegment.ofArray(new byte[1]), 0, 1) >= 0) {
                throw failure(
                        "the answer is longer than its range; the server, or what lies between, serves wrong ranges");
            }
        }

        private String tag(Head answer) {
            return version.etag().isPresent() || answer.header("etag").isPresent()
                    ? answer.header("etag").map(now -> "ETag " + printable(now)).orElse("no ETag")
                            + version.etag().map(then -> ", " + printable(then) + " when it was opened").orElse("")
                    : "another Last-Modified";
        }

        private Where where() {
            return origin.location().where().withOffset(offset());
        }

        private StorageException changed(String how) {
            return new StorageException("the file changed since it was opened: " + how + "; load it again", where());
        }

        private StorageException failure(String what) {
            return new StorageException(what, where());
        }
    }

    private static String printable(String text) {
        String plain = text.replaceAll("[^ -~]", "?");
        return plain.length() <= 100 ? plain : plain.substring(0, 100) + "…";
    }
}
