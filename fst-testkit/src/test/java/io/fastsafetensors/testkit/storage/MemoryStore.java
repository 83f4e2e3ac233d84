package io.fastsafetensors.testkit.storage;

import io.fastsafetensors.spi.storage.Storage;
import io.fastsafetensors.types.Location;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.regex.Pattern;

/// Files in memory by their locations. Thread-safe.
final class MemoryStore {
    private static final Pattern USER = Pattern.compile("//[^/]*@");
    private static final AtomicLong NUMBERS = new AtomicLong();

    private final Map<Location, Node> nodes = new ConcurrentHashMap<>();

    /// Bytes of which only some are stored.
    record Content(long length, NavigableMap<Long, byte[]> pieces) {
        static Content of(byte[] bytes) {
            return new Content(bytes.length, new TreeMap<>(Map.of(0L, bytes.clone())));
        }

        /// Copies a range that the content has.
        void copy(long offset, MemorySegment target, long targetOffset, long bytes) {
            target.asSlice(targetOffset, bytes).fill((byte) 0);
            Long first = pieces.floorKey(offset);
            pieces.subMap(first == null ? offset : first, offset + bytes).forEach((at, piece) -> {
                long from = Math.max(at, offset);
                long end = Math.min(at + piece.length, offset + bytes);
                if (from < end) {
                    MemorySegment.copy(MemorySegment.ofArray(piece), from - at, target, targetOffset + from - offset,
                            end - from);
                }
            });
        }

        byte[] bytes() {
            byte[] bytes = new byte[Math.toIntExact(length)];
            copy(0, MemorySegment.ofArray(bytes), 0, length);
            return bytes;
        }
    }

    /// One state of one file. A number of its own for the file, another one for each change.
    record Version(long file, long change, Content content) {
        static Version of(Content content) {
            long number = NUMBERS.incrementAndGet();
            return new Version(number, number, content);
        }

        Version with(Content next) {
            return new Version(file, NUMBERS.incrementAndGet(), next);
        }

        String identity() {
            return file + "." + change;
        }
    }

    /// A file, which an open one holds on to when another one takes its place.
    static final class Node {
        final Storage.Kind kind;
        volatile Version version;
        volatile long failing = Long.MAX_VALUE;

        Node(Storage.Kind kind, Content content) {
            this.kind = kind;
            this.version = Version.of(content);
        }
    }

    Optional<Node> find(Location location) {
        return Optional.ofNullable(nodes.get(plain(location)));
    }

    Node get(Location location) {
        return find(location).orElseThrow(() -> new IllegalStateException("the test has not written " + location));
    }

    void put(Location location, Storage.Kind kind, Content content) {
        nodes.put(plain(location), new Node(kind, content));
    }

    void remove(Location location) {
        nodes.remove(plain(location));
    }

    void removeBelow(Location location) {
        nodes.keySet().removeIf(node -> node.address().startsWith(location.address()));
    }

    /// Names of what lies in a directory.
    List<String> names(Location directory) {
        Optional<Location> parent = Optional.of(plain(directory));
        List<String> names = new ArrayList<>();
        nodes.keySet().forEach(node -> {
            if (node.parent().equals(parent)) {
                names.add(node.name());
            }
        });
        return names;
    }

    void rewrite(Location location, byte[] bytes) {
        Node node = get(location);
        node.version = node.version.with(Content.of(bytes));
    }

    void append(Location location, byte[] bytes) {
        byte[] old = get(location).version.content().bytes();
        byte[] both = Arrays.copyOf(old, old.length + bytes.length);
        System.arraycopy(bytes, 0, both, old.length, bytes.length);
        rewrite(location, both);
    }

    void truncate(Location location, long length) {
        rewrite(location, Arrays.copyOf(get(location).version.content().bytes(), Math.toIntExact(length)));
    }

    /// A file of the file system with the same bytes, for descriptors.
    static Path temporary(Content content) throws IOException {
        return Files.write(Files.createTempFile("fst-memory", ""), content.bytes());
    }

    /// Without user information and query.
    private static Location plain(Location location) {
        String address = location.address();
        int query = address.indexOf('?');
        return Location.of(USER.matcher(query < 0 ? address : address.substring(0, query)).replaceFirst("//"));
    }
}
