package io.fastsafetensors.backend.cuda.gds;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.fixture.WrittenFile;
import io.fastsafetensors.testkit.fixture.WrittenTensor;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/// Files that are hard on reads in whole pages, loaded and compared bit for bit.
final class LoadCases {
    /// Small, so that a few MiB have many edges.
    static final int BLOCK = 64 << 10;

    private static final int PAGE = 4096;

    private LoadCases() {
    }

    /// Data that starts at odd places of a page, with empty tensors and tails of one byte.
    static List<WrittenFile> oddHeaders(Path folder) {
        List<WrittenFile> files = new ArrayList<>();
        for (int start : new int[] {0, 1, 8, 469, 4088, 4095}) {
            files.add(SafetensorsFixture.create().tensor("empty.first", DType.F32, Shape.of(0, 7), 1)
                    .tensor("a", DType.F64, Shape.of(1000, 3), start).tensor("b", DType.U8, Shape.of(1), 2)
                    .tensor("c", DType.BF16, Shape.of(77, 1001), 3).tensor("empty", DType.F16, Shape.of(3, 0), 4)
                    .tensor("d", DType.F32, Shape.of(40_000), 5).tensor("tail", DType.U8, Shape.of(1), 6)
                    .tensor("empty.last", DType.I8, Shape.of(0), 7).dataStart(start, PAGE)
                    .write(folder.resolve("start" + start + ".safetensors")));
        }
        return files;
    }

    /// Tensors that end just before, at and just after pages and blocks.
    static WrittenFile blockEdges(Path folder) {
        SafetensorsFixture fixture = SafetensorsFixture.create();
        int[] sizes = {BLOCK, BLOCK - 1, 1, BLOCK + 1, PAGE - 1, 2 * BLOCK + 1, BLOCK - PAGE, PAGE, 3, PAGE + 1, 0,
            5 * BLOCK, 1};
        for (int i = 0; i < sizes.length; i++) {
            fixture.tensor("t" + i, DType.U8, Shape.of(sizes[i]), i);
        }
        return fixture.write(folder.resolve("edges.safetensors"));
    }

    /// Files smaller than a page, down to one byte of data and none.
    static List<WrittenFile> small(Path folder) {
        return List.of(
                SafetensorsFixture.create().tensor("one", DType.U8, Shape.of(1), 9)
                        .write(folder.resolve("one.safetensors")),
                SafetensorsFixture.create().tensor("nothing", DType.F32, Shape.of(0), 9)
                        .write(folder.resolve("nothing.safetensors")),
                SafetensorsFixture.create().tensor("page", DType.U8, Shape.of(PAGE), 9).dataStart(0, PAGE)
                        .write(folder.resolve("page.safetensors")));
    }

    /// A file of many blocks.
    static WrittenFile large(Path folder) {
        SafetensorsFixture fixture = SafetensorsFixture.create();
        for (int i = 0; i < 40; i++) {
            fixture.tensor("layer" + i, DType.BF16, Shape.of(100_003 + i), i);
        }
        return fixture.dataStart(469, PAGE).write(folder.resolve("large.safetensors"));
    }

    /// Loads all of them and compares.
    static void checkAll(Path folder, Supplier<LoaderBuilder> loader) {
        List<WrittenFile> files = new ArrayList<>(oddHeaders(folder));
        files.add(blockEdges(folder));
        files.addAll(small(folder));
        files.add(large(folder));
        for (WrittenFile file : files) {
            check(file, loader.get());
        }
        checkConverting(files.get(1), loader.get());
    }

    /// Loads one and compares.
    static void check(WrittenFile file, LoaderBuilder builder) {
        try (Loader loader = builder.blockBytes(BLOCK).build(); Weights weights = loader.load(file.path())) {
            check(file, weights);
        }
    }

    static void check(WrittenFile file, Weights weights) {
        assertEquals(file.tensors().size(), weights.names().size());
        for (WrittenTensor written : file.tensors()) {
            byte[] bytes = bytes(weights.get(written.name()));
            assertArrayEquals(written.bytes(), bytes, () -> written.name() + " of " + file.path());
            assertEquals(written.sha256(), Content.sha256(bytes));
        }
    }

    /// Widening on the way: a block's source is then no multiple of anything.
    private static void checkConverting(WrittenFile file, LoaderBuilder builder) {
        try (Loader loader = builder.blockBytes(BLOCK).dtype(DType.F32).build();
                Weights weights = loader.load(file.path())) {
            byte[] halves = file.tensor("c").bytes();
            byte[] wide = new byte[2 * halves.length];
            for (int i = 0; i < halves.length; i += 2) {
                wide[2 * i + 2] = halves[i];
                wide[2 * i + 3] = halves[i + 1];
            }
            quietNaNs(wide);
            assertArrayEquals(wide, bytes(weights.get("c")), "BF16 as F32");
        }
    }

    /// A conversion sets a NaN's quiet bit.
    private static void quietNaNs(byte[] floats) {
        for (int i = 0; i < floats.length; i += 4) {
            boolean special = (floats[i + 3] & 0x7F) == 0x7F && (floats[i + 2] & 0x80) != 0;
            if (special && (floats[i + 2] & 0x7F) != 0) {
                floats[i + 2] |= 0x40;
            }
        }
    }

    private static byte[] bytes(Tensor tensor) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(Math.max(tensor.byteSize(), 1), 8).asSlice(0, tensor.byteSize());
            tensor.copyTo(host);
            return host.toArray(ValueLayout.JAVA_BYTE);
        }
    }
}
