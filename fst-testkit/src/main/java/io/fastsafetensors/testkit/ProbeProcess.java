package io.fastsafetensors.testkit;

import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Services;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/// A process that finds a provider and probes, as a program's first call does.
final class ProbeProcess {
    /// The result of a probe.
    ///
    /// @param status its exit status; 0 if the provider was found and `probe()` returned
    /// @param output what it printed, to either stream
    record Result(int status, String output) {
    }

    private static final Map<String, Result> RESULTS = new ConcurrentHashMap<>();

    private ProbeProcess() {
    }

    /// Probes the registered provider of that name, in one process for all who ask.
    static Result run(String provider) throws IOException, InterruptedException {
        Result known = RESULTS.get(provider);
        Result result = known == null ? start(provider) : known;
        RESULTS.put(provider, result);
        return result;
    }

    private static Result start(String provider) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(), "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED", "-cp", classPath(),
                ProbeProcess.class.getName(), provider));
        Path output = Files.createTempFile("fst-probe", ".txt");
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(output.toFile())
                    .start();
            if (!process.waitFor(Workbench.patience().toSeconds(), TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
                return new Result(-1, "the process does not end; it printed: " + Files.readString(output));
            }
            return new Result(process.exitValue(), Files.readString(output, StandardCharsets.UTF_8));
        } finally {
            Files.delete(output);
        }
    }

    /// Everything that this process has on its paths.
    private static String classPath() {
        return String.join(File.pathSeparator, Stream.of("java.class.path", "jdk.module.path")
                .flatMap(name -> Optional.ofNullable(System.getProperty(name)).stream())
                .flatMap(path -> Arrays.stream(path.split(File.pathSeparator, -1)))
                .filter(entry -> !entry.isEmpty()).toList());
    }

    /// What the process does.
    ///
    /// @param arguments the provider's name
    public static void main(String[] arguments) {
        for (Services.Found<BackendProvider> found : Services.all(BackendProvider.class, ProbeProcess.class)) {
            Optional<BackendProvider> provider = found.service();
            if (provider.isPresent() && provider.get().name().equals(arguments[0])) {
                provider.get().probe();
                return;
            }
        }
        throw new IllegalStateException("no provider \"" + arguments[0] + "\" is registered; see rule P-13");
    }
}
