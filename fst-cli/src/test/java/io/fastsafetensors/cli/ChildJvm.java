package io.fastsafetensors.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Starts programs of these tests in a process of their own.
final class ChildJvm {
    private ChildJvm() {
    }

    /// The command line of a program, started fast rather than running fast.
    static List<String> command(Class<?> program, Object... args) {
        List<String> command = new ArrayList<>(List.of(Path.of(System.getProperty("java.home"), "bin/java").toString(),
                "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx128m", "--enable-native-access=ALL-UNNAMED", "-cp",
                System.getProperty("java.class.path"), program.getName()));
        for (Object arg : args) {
            command.add(arg.toString());
        }
        return command;
    }
}
