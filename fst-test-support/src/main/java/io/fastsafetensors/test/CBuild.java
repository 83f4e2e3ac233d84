package io.fastsafetensors.test;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Stream;

/// Compiles C for tests with the system's `cc`, and keeps the result for the next test that asks for the same.
///
/// Every source is compiled with all warnings, as errors. Results are kept in the module's `target/native` where the build
/// has made `target`, under a digest of all that they are made of; else for as long as this JVM runs. Not thread-safe,
/// except that processes and threads may build the same at a time.
public final class CBuild {
    private static final List<String> FLAGS = List.of("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-O2", "-g",
            "-pthread");

    private final String name;
    private final Map<String, byte[]> sources = new TreeMap<>();
    private final List<String> options = new ArrayList<>();
    private final List<Path> libraries = new ArrayList<>();

    private CBuild(String name) {
        this.name = name;
    }

    /// A shared library, whose file name is its soname too.
    public static CBuild sharedLibrary(String fileName) {
        return new CBuild(fileName).options("-shared", "-fPIC", "-Wl,-soname," + fileName);
    }

    /// A program.
    public static CBuild program(String fileName) {
        return new CBuild(fileName);
    }

    /// Adds sources that are resources next to a class. A header, which does not end in `.c`, is only put next to them.
    public CBuild resources(Class<?> near, String... names) {
        for (String resource : names) {
            try (InputStream in = near.getResourceAsStream(resource)) {
                if (in == null) {
                    throw new IllegalArgumentException("no resource " + resource + " next to " + near.getName());
                }
                sources.put(resource, in.readAllBytes());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return this;
    }

    /// Adds a source.
    ///
    /// @param fileName ends in `.c`, or is a header
    public CBuild source(String fileName, String text) {
        sources.put(fileName, text.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    /// Adds options of the compiler, after its own: `-std=gnu11 -O2` and warnings.
    public CBuild options(String... more) {
        options.addAll(List.of(more));
        return this;
    }

    /// Links with a library that was built before.
    public CBuild linkedWith(Path library) {
        libraries.add(library);
        return this;
    }

    /// Builds it, unless that has been done, and puts it into a directory. Without a compiler the test ends by
    /// [Prerequisite#C_COMPILER]; a source that does not compile fails it.
    ///
    /// @param folder must exist
    /// @return the file
    public Path into(Path folder) {
        Prerequisite.C_COMPILER.require();
        try {
            Path kept = Cache.FOLDER.resolve(digest() + "-" + name);
            if (!Files.exists(kept)) {
                Path work = Files.createTempDirectory(Cache.FOLDER, "build");
                try {
                    Files.move(compile(work), kept, StandardCopyOption.ATOMIC_MOVE);
                } finally {
                    delete(work);
                }
            }
            return Files.copy(kept, folder.resolve(name), StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private Path compile(Path work) throws IOException {
        Path result = work.resolve(name);
        List<Object> command = new ArrayList<>(List.of("cc"));
        command.addAll(FLAGS);
        command.addAll(List.of("-o", result));
        for (Map.Entry<String, byte[]> source : sources.entrySet()) {
            Path file = Files.write(work.resolve(source.getKey()), source.getValue());
            if (source.getKey().endsWith(".c")) {
                command.add(file);
            }
        }
        command.addAll(options);
        for (Path library : libraries) {
            command.addAll(List.of("-L" + library.toAbsolutePath().getParent(), "-l:" + library.getFileName()));
        }
        command.add("-ldl");
        ChildProcess.of(command.toArray()).run().succeeded();
        return result;
    }

    private String digest() throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java platform has SHA-256", e);
        }
        add(digest, Cache.COMPILER.getBytes(StandardCharsets.UTF_8));
        add(digest, String.join("\n", FLAGS).getBytes(StandardCharsets.UTF_8));
        add(digest, String.join("\n", options).getBytes(StandardCharsets.UTF_8));
        for (Map.Entry<String, byte[]> source : sources.entrySet()) {
            add(digest, source.getKey().getBytes(StandardCharsets.UTF_8));
            add(digest, source.getValue());
        }
        for (Path library : libraries) {
            add(digest, Files.readAllBytes(library));
        }
        return HexFormat.of().formatHex(digest.digest(), 0, 16);
    }

    /// With its length, so that no two lists of parts make one text.
    private static void add(MessageDigest digest, byte[] part) {
        digest.update(ByteBuffer.allocate(Long.BYTES).putLong(part.length).flip());
        digest.update(part);
    }

    /// Why nothing can be compiled; empty where it can.
    static Optional<String> problem() {
        return trial();
    }

    /// Why nothing can be compiled with sanitizers; empty where it can.
    static Optional<String> problemWithSanitizers() {
        return trial("-fsanitize=address,undefined");
    }

    private static Optional<String> trial(String... flags) {
        try {
            Path folder = Files.createTempDirectory("fst-trial");
            try {
                Path source = Files.writeString(folder.resolve("trial.c"), """
                        #include <stdio.h>
                        int main(void) {
                            return puts("it works") < 0;
                        }
                        """);
                List<String> command = new ArrayList<>(List.of("cc", "-o", folder.resolve("trial").toString(),
                        source.toString()));
                command.addAll(List.of(flags));
                return ChildProcess.problem(command.toArray(String[]::new));
            } finally {
                delete(folder);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void delete(Path folder) throws IOException {
        List<Path> files;
        try (Stream<Path> found = Files.walk(folder)) {
            files = found.sorted(Comparator.reverseOrder()).toList();
        }
        for (Path file : files) {
            Files.delete(file);
        }
    }

    /// Made when the first test compiles.
    private static final class Cache {
        static final Path FOLDER = folder();
        static final String COMPILER = ChildProcess.of("cc", "--version").run().succeeded().out();

        private static Path folder() {
            try {
                Path target = Path.of("target").toAbsolutePath();
                if (Files.isDirectory(target)) {
                    return Files.createDirectories(target.resolve("native"));
                }
                Path own = Files.createTempDirectory("fst-native");
                Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                    try {
                        delete(own);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                }));
                return own;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
