package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.testkit.fault.OpenObjects;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// The remains of loads when everything was closed: nothing, as soon as what was under way has ended.
final class Remains {
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(30);

    private Remains() {
    }

    /// The descriptors of a directory's files that are open.
    private static long descriptors(Path directory) {
        try (Stream<Path> all = Files.list(Path.of("/proc/self/fd"))) {
            return all.filter(fd -> target(fd).startsWith(directory + "/")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// How often files of a directory are mapped.
    static long mappings(Path directory) {
        try (Stream<String> lines = Files.lines(Path.of("/proc/self/maps"))) {
            return lines.filter(line -> line.contains(directory + "/")).count();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException e) {
            return "";
        }
    }

    private static String threads() {
        StringBuilder text = new StringBuilder();
        Thread.getAllStackTraces().forEach((thread, frames) -> {
            if (thread.getName().startsWith("fst-")) {
                text.append(thread.getName());
                for (StackTraceElement frame : frames) {
                    text.append("\n    ").append(frame);
                }
                text.append('\n');
            }
        });
        return text.toString();
    }

    private static String now(OpenObjects objects, Path directory) {
        Map<OpenObjects.Kind, Long> open = objects.counts();
        long descriptors = descriptors(directory);
        long mappings = mappings(directory);
        String threads = threads();
        return (open.isEmpty() ? "" : objects.describe() + "\n")
                + (descriptors == 0 ? "" : descriptors + " descriptors of " + directory + "\n")
                + (mappings == 0 ? "" : mappings + " mappings of " + directory + "\n") + threads
                + (MeteredProvider.live() == 0 ? "" : MeteredProvider.live() + " bytes of device memory\n");
    }

    /// Waits until nothing is left of what these devices had, of the files of a directory, and of threads.
    static void assertNone(OpenObjects objects, Path directory, Supplier<String> what) {
        long end = System.nanoTime() + PATIENCE_NANOS;
        String left = now(objects, directory);
        while (!left.isEmpty()) {
            if (System.nanoTime() > end) {
                fail(what.get() + " left\n" + left);
            }
            try {
                Thread.sleep(1);
            } catch (InterruptedException e) {
                throw new IllegalStateException(e);
            }
            left = now(objects, directory);
        }
    }
}
