package io.fastsafetensors.bench.gpu;

import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.cli.LlamaShapes;
import io.fastsafetensors.cli.Noise;
import io.fastsafetensors.testkit.fixture.CheckpointFixture;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.fixture.WrittenFile;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.TensorInfo;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;

/// Writes checkpoints of one size in several layouts, all of them noise: a header first, then all files at once by many
/// threads. What is written is in the page cache, and on disk only after [#sync(Path)]. Closing deletes everything.
final class Checkpoints implements AutoCloseable {
    private static final String FOLDER = "fst-gpu-bench";
    private static final String SCALE = "_scale_inv";
    private static final int SHARDS = 4;
    private static final long STRETCH = 64L << 20;
    /// Room for two checkpoints at a time and what the file system needs besides.
    private static final double ROOM = 2.1;

    private final Path folder;
    private final long bytes;

    /// @param parent an existing directory; a folder in it is made, and emptied if a former run left it
    /// @param bytes about how large each checkpoint is
    /// @throws IllegalStateException if the disk has no room for two of them
    Checkpoints(Path parent, long bytes) {
        this.folder = parent.resolve(FOLDER);
        this.bytes = bytes;
        close();
        try {
            Files.createDirectories(folder);
            long free = Files.getFileStore(folder).getUsableSpace();
            if (free < bytes * ROOM) {
                throw new IllegalStateException(folder + " has room for " + free + " bytes, and two checkpoints of "
                        + bytes + " are needed at a time; --dir names another place, --bytes another size");
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// A Llama in BF16, four shards and an index; fewer shards where single tensors are a large part of it.
    Path sharded() {
        List<List<LlamaShapes.Part>> shards = cut(LlamaShapes.ofBytes(bytes));
        CheckpointFixture checkpoint = CheckpointFixture.create();
        for (int i = 0; i < shards.size(); i++) {
            SafetensorsFixture file = SafetensorsFixture.create().dataStart(0, 8);
            shards.get(i).forEach(part -> add(file, part, DType.BF16));
            checkpoint.shard("model-0000" + (i + 1) + "-of-0000" + shards.size() + ".safetensors", file);
        }
        Path directory = folder.resolve("sharded");
        fill(checkpoint.write(directory).files());
        return directory;
    }

    /// Cuts after each quarter of the bytes.
    private static List<List<LlamaShapes.Part>> cut(List<LlamaShapes.Part> parts) {
        long total = LlamaShapes.sum(parts);
        List<List<LlamaShapes.Part>> shards = new ArrayList<>();
        long written = 0;
        long boundary = 0;
        for (LlamaShapes.Part part : parts) {
            if (written >= boundary) {
                shards.add(new ArrayList<>());
                boundary = total * (written * SHARDS / total + 1) / SHARDS;
            }
            shards.getLast().add(part);
            written += part.byteSize();
        }
        return shards;
    }

    /// The same Llama in one file, its data at a multiple of 8.
    Path single() {
        return llama("single", DType.BF16, bytes, 0);
    }

    /// The same Llama in one file whose header's length is 1 modulo 8, so that no tensor is aligned to anything.
    Path odd() {
        return llama("odd", DType.BF16, bytes, 1);
    }

    /// A Llama in F32 whose file has the same size.
    Path wide() {
        return llama("f32", DType.F32, bytes / 2, 0);
    }

    /// A Llama whose matrices are FP8 with a scale for each block of 128 × 128; the file has the same size.
    Path quantized() {
        SafetensorsFixture file = SafetensorsFixture.create().dataStart(0, 8);
        for (LlamaShapes.Part part : LlamaShapes.ofBytes(bytes * 2)) {
            boolean matrix = part.shape().rank() == 2;
            add(file, part, matrix ? DType.F8_E4M3 : DType.BF16);
            if (matrix) {
                Shape blocks = Shape.of(Math.ceilDiv(part.shape().dim(0), 128), Math.ceilDiv(part.shape().dim(1), 128));
                file.tensor(part.name() + SCALE, DType.F32, blocks, Content.hole());
            }
        }
        Path path = write("fp8", file);
        fillScales(path);
        return path;
    }

    /// Scales are no noise: most of it would be far out of the range that scales have.
    private static void fillScales(Path path) {
        try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
            for (TensorInfo tensor : Safetensors.open(path).tensors()) {
                if (tensor.name().endsWith(SCALE)) {
                    ByteBuffer scales = ByteBuffer.allocate((int) tensor.byteSize()).order(ByteOrder.LITTLE_ENDIAN);
                    while (scales.hasRemaining()) {
                        scales.putFloat(0.01f);
                    }
                    channel.write(scales.flip(), tensor.fileOffset());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// A quarter of the size, to be damaged.
    Path victim() {
        return llama("victim", DType.BF16, bytes / 4, 0);
    }

    /// As many bytes in `count` tensors of one size in one file.
    Path small(int count) {
        return tiny(count, bytes / count);
    }

    /// Tensors of `each` bytes in one file.
    Path tiny(int count, long each) {
        SafetensorsFixture file = SafetensorsFixture.create().dataStart(0, 8);
        long elements = Math.max(1, each / DType.BF16.byteSize(1));
        for (int i = 0; i < count; i++) {
            file.tensor("model.layers." + i + ".weight", DType.BF16, Shape.of(elements), Content.hole());
        }
        return write("small", file);
    }

    private Path llama(String name, DType dtype, long byteSize, int remainder) {
        SafetensorsFixture file = SafetensorsFixture.create().dataStart(remainder, 8);
        LlamaShapes.ofBytes(byteSize).forEach(part -> add(file, part, dtype));
        return write(name, file);
    }

    private static void add(SafetensorsFixture file, LlamaShapes.Part part, DType dtype) {
        file.tensor(part.name(), dtype, part.shape(), Content.hole());
    }

    private Path write(String name, SafetensorsFixture fixture) {
        WrittenFile file = fixture.write(folder.resolve(name + ".safetensors"));
        fill(List.of(file));
        return file.path();
    }

    /// A part of a file's data section.
    private record Stretch(Path file, long begin, long end) {
    }

    private static void fill(List<WrittenFile> files) {
        List<Stretch> stretches = new ArrayList<>();
        for (WrittenFile file : files) {
            for (long at = file.dataStart(); at < file.length(); at += STRETCH) {
                stretches.add(new Stretch(file.path(), at, Math.min(file.length(), at + STRETCH)));
            }
        }
        Workers.run(Workers.defaultThreads(), stretches.size(), () -> {
            Noise noise = new Noise();
            return piece -> fill(stretches.get((int) piece), piece, noise);
        });
    }

    private static void fill(Stretch stretch, long seed, Noise noise) throws IOException {
        try (FileChannel channel = FileChannel.open(stretch.file, StandardOpenOption.WRITE)) {
            channel.position(stretch.begin);
            noise.generate(seed, stretch.end - stretch.begin, block -> {
                while (block.hasRemaining()) {
                    channel.write(block);
                }
            });
        }
    }

    /// Brings a checkpoint to the disk, without which its pages cannot leave the cache.
    static void sync(Path checkpoint) {
        List<Path> files = files(checkpoint);
        Workers.run(files.size(), files.size(), () -> piece -> {
            try (FileChannel channel = FileChannel.open(files.get((int) piece), StandardOpenOption.WRITE)) {
                channel.force(true);
            }
        });
    }

    /// The .safetensors files of a checkpoint.
    static List<Path> files(Path checkpoint) {
        try (Stream<Path> tree = Files.walk(checkpoint)) {
            return tree.filter(path -> path.toString().endsWith(".safetensors")).sorted().toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// Deletes a checkpoint; what was not on disk yet never gets there.
    static void delete(Path checkpoint) {
        if (!Files.exists(checkpoint)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(checkpoint)) {
            for (Path path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(path);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        delete(folder);
    }
}
