package io.fastsafetensors.cli;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Writes more than there is room for, in every way, and prints for each what was said and whether the old file and
/// nothing else is there. Arguments: a directory with little room, a checkpoint that does not fit.
final class FullDisk {
    private static final int LARGE = 4 << 20;

    private final Path directory;
    private final Path target;
    private final byte[] old;

    private FullDisk(Path directory) throws Exception {
        this.directory = directory;
        this.target = directory.resolve("x.safetensors");
        Safetensors.write(target, List.of(zeros("old", 100_000)), WriteOptions.defaults());
        this.old = Files.readAllBytes(target);
    }

    static TensorSource zeros(String name, int bytes) {
        return TensorSource.of(name, DType.U8, Shape.of(bytes), channel -> channel.write(ByteBuffer.allocate(bytes)));
    }

    public static void main(String[] args) throws Exception {
        FullDisk disk = new FullDisk(Path.of(args[0]));
        Path source = Path.of(args[1]);
        disk.report(
                refusal(() -> Safetensors.write(disk.target, List.of(zeros("large", LARGE)), WriteOptions.defaults())));
        Path shards = disk.directory.resolve("shards");
        disk.report(refusal(() -> Safetensors.write(shards, List.of(zeros("a", 900_000), zeros("b", LARGE)),
                WriteOptions.defaults().withMaxShardBytes(1_000_000))));
        for (String command : List.of("align", "merge")) {
            disk.report(command(command, source.toString(), disk.target.toString()));
        }
    }

    private interface Attempt {
        void run();
    }

    /// What a command says, after its status.
    private static String command(String... args) {
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream stream = new PrintStream(err, true, StandardCharsets.UTF_8);
        int status = Main.run(args, stream, stream);
        return status + " " + err.toString(StandardCharsets.UTF_8).strip();
    }

    private static String refusal(Attempt attempt) {
        try {
            attempt.run();
            return "nothing";
        } catch (StorageException e) {
            return e.getMessage();
        }
    }

    private void report(String said) throws IOException {
        try (Stream<Path> tree = Files.walk(directory)) {
            List<String> files = tree.filter(Files::isRegularFile).map(path -> path.getFileName().toString()).toList();
            boolean intact = Arrays.equals(old, Files.readAllBytes(target));
            System.out.println((intact ? "intact" : "CHANGED") + "\t" + files + "\t" + said.replace("\n", "\\n"));
        }
    }
}
