package io.fastsafetensors.backend.cuda.gds.fakegpu;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.test.Prerequisite;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/// The fake GPU and the fake cuFile of this JVM; loaded before anything looks for the real ones, if a test asks for them
/// first of all.
final class Fakes {
    private Fakes() {
    }

    static FakeGpu gpu() {
        Prerequisite.C_COMPILER.require();
        return Holder.GPU;
    }

    /// What `fake_cufile.c` counts.
    static long count(String what) {
        Prerequisite.C_COMPILER.require();
        try (Arena arena = Arena.ofConfined()) {
            return Holder.CUFILE.words("fake_cufile_count").call(arena.allocateFrom(what).address());
        }
    }

    /// Makes reads fail until what is returned is closed.
    static AutoCloseable failingReads() {
        Prerequisite.C_COMPILER.require();
        Holder.CUFILE.words("fake_cufile_fail").call(1);
        return () -> Holder.CUFILE.words("fake_cufile_fail").call(0);
    }

    /// The libraries stay mapped.
    private static void delete(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }

    private static final class Holder {
        static final FakeGpu GPU;
        static final NativeLibrary CUFILE;

        static {
            try {
                Path folder = Files.createTempDirectory("fst-fakes");
                GPU = FakeGpu.load(folder, Face.CUDA);
                Path library = NativeCode.cuFile(folder);
                // Loaded is enough: it is found by its soname from now on.
                CUFILE = NativeLibrary.open(library.toString());
                delete(folder);
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }
    }
}
