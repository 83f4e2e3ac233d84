package io.fastsafetensors.testkit.leak;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A snapshot of the resources of this process. Taking one opens and closes files of `/proc` and needs no rights.
///
/// The virtual machine's own files are left out: those under `java.home`, and names that end in `.jar`, `.jsa`, `.aot`,
/// `.class` or hold `.so`, since class loading opens and maps them whenever it pleases.
///
/// @param files open descriptors of regular files (also deleted ones), counted by path; empty elsewhere than on Linux
/// @param threads live platform threads whose names start with the prefix, counted by name
/// @param mappings mappings of regular files, counted by path; empty elsewhere than on Linux
/// @param anonymousBytes writable memory that belongs to no file, without the Java heap; 0 elsewhere than on Linux
public record ProcessSnapshot(Map<String, Integer> files, Map<String, Integer> threads, Map<String, Integer> mappings,
        long anonymousBytes) {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");
    private static final Path MAPS = Path.of("/proc/self/maps");

    /// Copies the maps.
    public ProcessSnapshot {
        files = Map.copyOf(files);
        threads = Map.copyOf(threads);
        mappings = Map.copyOf(mappings);
    }

    /// Takes one now.
    ///
    /// @param threadPrefix which threads to list; all that start with it
    public static ProcessSnapshot take(String threadPrefix) {
        Map<String, Integer> threads = Thread.getAllStackTraces().keySet().stream().map(Thread::getName)
                .filter(name -> name.startsWith(threadPrefix)).collect(Collectors.toMap(n -> n, _ -> 1, Integer::sum));
        Map<String, Integer> mappings = new HashMap<>();
        long anonymous = readMaps(mappings) - Runtime.getRuntime().totalMemory();
        return new ProcessSnapshot(openFiles(), threads, mappings, Files.exists(MAPS) ? anonymous : 0);
    }

    private static Map<String, Integer> openFiles() {
        Map<String, Integer> files = new HashMap<>();
        if (!Files.isDirectory(DESCRIPTORS)) {
            return files;
        }
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : descriptors) {
                String target = target(descriptor);
                if (isWatched(target)) {
                    files.merge(target, 1, Integer::sum);
                }
            }
        } catch (IOException _) {
            return Map.of();
        }
        return files;
    }

    /// Where a descriptor points to; empty if it was closed meanwhile.
    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException _) {
            return "";
        }
    }

    private static long readMaps(Map<String, Integer> mappings) {
        long anonymous = 0;
        try (Stream<String> lines = Files.lines(MAPS)) {
            for (String line : (Iterable<String>) lines::iterator) {
                String[] fields = line.split("\\s+", 6);
                String path = fields.length < 6 ? "" : fields[5];
                if (isWatched(path)) {
                    mappings.merge(path, 1, Integer::sum);
                } else if (path.isEmpty() && fields[1].startsWith("rw")) {
                    int dash = fields[0].indexOf('-');
                    anonymous += Long.parseUnsignedLong(fields[0].substring(dash + 1), 16)
                            - Long.parseUnsignedLong(fields[0].substring(0, dash), 16);
                }
            }
        } catch (IOException | UncheckedIOException _) {
            return 0;
        }
        return anonymous;
    }

    /// Whether it is a regular file (or was, before it was deleted) that class loading does not open by itself.
    private static boolean isWatched(String target) {
        String path = target.endsWith(" (deleted)") ? target.substring(0, target.length() - 10) : target;
        boolean regular = path.startsWith("/") && !path.startsWith("/dev/") && !path.startsWith("/proc/")
                && (!target.equals(path) || Files.isRegularFile(Path.of(path)));
        return regular && !path.startsWith(System.getProperty("java.home")) && !path.contains(".so")
                && !path.matches(".*\\.(jar|jsa|aot|class)");
    }
}
