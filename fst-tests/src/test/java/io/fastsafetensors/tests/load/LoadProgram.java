package io.fastsafetensors.tests.load;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.FstException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;

/// Loads a file in small blocks, prints each tensor's digest or the failure, and what it left open.
final class LoadProgram {
    private LoadProgram() {
    }

    public static void main(String[] args) throws IOException {
        int exit = 0;
        Path file = Path.of(args[0]);
        try (Loader loader = Loader.builder().directIo(DirectIo.valueOf(args[1])).blockBytes(1 << 20).readers(3)
                .build(); Weights weights = loader.load(file)) {
            Samples.digests(weights).forEach((name, digest) -> System.out.println(name + " " + digest));
        } catch (FstException e) {
            System.out.println(e);
            exit = 3;
        }
        System.out.println("left: " + descriptors(file) + " descriptors, " + threads() + " threads");
        System.exit(exit);
    }

    private static long descriptors(Path file) throws IOException {
        try (Stream<Path> fds = Files.list(Path.of("/proc/self/fd"))) {
            return fds.filter(fd -> points(fd, file)).count();
        }
    }

    private static boolean points(Path fd, Path file) {
        try {
            return Files.readSymbolicLink(fd).equals(file);
        } catch (IOException e) {
            return false;
        }
    }

    /// Readers and helpers that stay; one that has done its work needs a moment to end.
    private static long threads() {
        return Thread.getAllStackTraces().keySet().stream().filter(t -> t.getName().matches("fst-(reader|helper).*"))
                .filter(LoadProgram::stays).count();
    }

    private static boolean stays(Thread thread) {
        try {
            return !thread.join(Duration.ofSeconds(60));
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
