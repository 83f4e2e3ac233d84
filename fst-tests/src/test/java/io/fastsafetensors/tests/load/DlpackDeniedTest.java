package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.test.ChildProcess;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// DLPack in a virtual machine that forbids native access.
@Timeout(600)
class DlpackDeniedTest {
    @TempDir
    Path directory;

    /// Says how each of the two refuses.
    static final class Program {
        private Program() {
        }

        public static void main(String[] args) {
            try (Loader loader = Loader.builder().device("cpu").build();
                    Weights weights = loader.load(Path.of(args[0]))) {
                refused(() -> weights.get("t0").toDlpack(DlpackVersion.VERSIONED));
                // No such struct is there: reading it would end the process.
                refused(() -> loader.fromDlpack(4096, DlpackVersion.VERSIONED));
            }
        }

        private static void refused(Runnable call) {
            try {
                call.run();
            } catch (UnsupportedFeatureException e) {
                System.out.println(e.getMessage());
            }
        }
    }

    @Test
    void both_ways_are_refused_with_the_option_that_helps() {
        Path file = directory.resolve("model.safetensors");
        Samples.write(file, 1, 100, 3);
        String out = ChildProcess.java(Program.class, file).withoutOption("--enable-native-access=ALL-UNNAMED")
                .options("-Xmx64m", "--illegal-native-access=deny").run().succeeded().output();
        assertEquals(2, out.lines().filter(line -> line.equals(
                "DLPack needs native access; start java with --enable-native-access=ALL-UNNAMED")).count(), out);
    }
}
