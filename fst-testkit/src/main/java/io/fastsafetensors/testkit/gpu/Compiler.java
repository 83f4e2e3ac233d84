package io.fastsafetensors.testkit.gpu;

import io.fastsafetensors.spi.kernel.KernelSource;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Assertions;
import org.junit.jupiter.api.Assumptions;

/// Makes a shared library of the C sources beside this class.
final class Compiler {
    private static final List<String> HEADERS = List.of("fake_gpu.h", "fake_gpu_engine.h", "fake_hip_code.h");
    private static final List<String> ENGINE = List.of("fake_gpu.c", "fake_streams.c", "fake_kernels.c");
    private static final List<String> FLAGS = List.of("-std=c11", "-Wall", "-Wextra", "-Werror", "-O2", "-g", "-fPIC",
            "-shared", "-fvisibility=hidden", "-pthread");

    private Compiler() {
    }

    static Path compile(Path folder, Face face) throws IOException {
        Path sources = Files.createTempDirectory(folder, "fake-gpu");
        for (String header : HEADERS) {
            copy(header, sources);
        }
        Files.writeString(sources.resolve("fst_kernels.c"), KernelSource.text());
        List<String> own = switch (face) {
            case CUDA -> List.of("fake_cuda.c");
            case HIP_5 -> List.of("fake_hip.c", "fake_hiprtc.c");
            case HIP_6, HIP_7 -> List.of("fake_hip.c");
            case HIP_OVER_CUDA -> List.of("hip_over_cuda.c");
        };
        List<String> files = new ArrayList<>(own);
        if (face.isFake()) {
            files.addAll(ENGINE);
        }
        Path library = folder.resolve(face.libraryName());
        link(sources, files, library, List.of("-DFAKE_HIP_MAJOR=" + face.hipMajor(), "-ldl"));
        if (face.hasCompanion()) {
            link(sources, List.of("fake_hiprtc.c"), folder.resolve(face.companionName()),
                    List.of("-L" + folder, "-l:" + face.libraryName()));
        }
        return library;
    }

    /// @param folder has the driver
    static Path compileCollectives(Path folder, Face face) throws IOException {
        Path sources = Files.createTempDirectory(folder, "fake-nccl");
        for (String header : HEADERS) {
            copy(header, sources);
        }
        Path library = folder.resolve(face.collectivesName());
        link(sources, List.of("fake_nccl.c"), library, List.of("-DFAKE_HIP_MAJOR=" + face.hipMajor(), "-L" + folder,
                "-l:" + face.libraryName()));
        return library;
    }

    private static void link(Path sources, List<String> files, Path library, List<String> options)
            throws IOException {
        List<String> command = new ArrayList<>(List.of("cc"));
        command.addAll(FLAGS);
        command.addAll(List.of("-Wl,-soname," + library.getFileName(), "-o", library.toString()));
        for (String file : files) {
            command.add(copy(file, sources).toString());
        }
        command.addAll(options);
        run(command);
    }

    private static Path copy(String name, Path folder) throws IOException {
        Path target = folder.resolve(name);
        try (InputStream source = Compiler.class.getResourceAsStream(name)) {
            if (source == null) {
                throw new IOException("no resource " + name);
            }
            Files.copy(source, target, StandardCopyOption.REPLACE_EXISTING);
        }
        return target;
    }

    private static void run(List<String> command) throws IOException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            String text = "no C compiler to build the fake GPU with: install gcc (" + e.getMessage() + ")";
            if (System.getenv("CI") != null) {
                Assertions.fail(text, e);
            }
            Assumptions.abort(text);
            return;
        }
        String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            int status = process.waitFor();
            Assertions.assertEquals(0, status, () -> String.join(" ", command) + ":\n" + output);
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted while compiling the fake GPU", e);
        }
    }
}
