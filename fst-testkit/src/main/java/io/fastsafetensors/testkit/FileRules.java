package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.api.DirectIo;
import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.LoaderBuilder;
import io.fastsafetensors.api.LoaderProvider;
import io.fastsafetensors.api.StreamOptions;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.BackendUnavailableException;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.Strided;
import io.fastsafetensors.testkit.fixture.CheckpointFixture;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.fixture.Seed;
import io.fastsafetensors.testkit.fixture.WrittenCheckpoint;
import io.fastsafetensors.testkit.fixture.WrittenFile;
import io.fastsafetensors.testkit.fixture.WrittenTensor;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Generated files, loaded to the device by the loader and read back. A failure without a loader (fst-core) on the
/// path, or where it does not find the backend.
abstract class FileRules extends RuleGroup {
    private static final int BLOCK = 1 << 20;

    @TempDir
    Path folder;

    @SuppressWarnings("NullAway.Init")
    FileRules(BackendConformance suite) {
        super(suite);
    }

    @Override
    void prepare() throws IOException {
        folder = FurtherDevices.folderOf(bench.device, folder);
        suite.withoutLoader().ifPresent(reason -> {
            throw new NotApplicable("run without a loader: " + reason);
        });
        try {
            LoaderProvider.instance();
        } catch (UnsupportedFeatureException e) {
            fail("no loader here; put fst-core on the test path, or override withoutLoader(): " + e.getMessage());
        }
    }

    /// Tensors of all 22 dtypes arrive with their bytes.
    ///
    /// If it fails for sub-byte dtypes: sizes are in bits; F4 and F6 tensors end at whole bytes, not whole elements.
    @Test
    @DisplayName("F-01 every dtype arrives")
    void f_01_every_dtype_arrives() {
        SafetensorsFixture fixture = SafetensorsFixture.create();
        for (DType dtype : DType.values()) {
            fixture.tensor("t." + dtype, dtype, Shape.of(3, 8, 5), Seed.value() + dtype.name().hashCode());
        }
        check(fixture.write(folder.resolve("dtypes.safetensors")));
    }

    /// Empty tensors and scalars are there, between others.
    ///
    /// If it fails: an empty tensor has no block to wait for, and is ready at once.
    @Test
    @DisplayName("F-02 empty tensors and scalars arrive")
    void f_02_empty_tensors_and_scalars_arrive() {
        check(SafetensorsFixture.create().tensor("empty.first", DType.F32, Shape.of(0), 1)
                .tensor("scalar", DType.F64, Shape.of(), 2).tensor("empty.middle", DType.I8, Shape.of(4, 0, 2), 3)
                .tensor("one", DType.BOOL, Shape.of(1), new byte[] {1})
                .tensor("empty.last", DType.F4, Shape.of(2, 0), 4)
                .write(folder.resolve("empty.safetensors")));
        check(SafetensorsFixture.create().write(folder.resolve("nothing.safetensors")));
    }

    /// Whatever the header's length, tensors arrive, and at addresses that fit their elements (capability POINTERS).
    ///
    /// If it fails: the place in memory need not be the place in the file; a staging copy may shift for nothing.
    @Test
    @DisplayName("F-03 data may start anywhere in the file")
    void f_03_data_may_start_anywhere_in_the_file() {
        for (int start = 0; start < 8; start++) {
            WrittenFile file = SafetensorsFixture.create().tensor("a", DType.U8, Shape.of(3), 1)
                    .tensor("b", DType.F64, Shape.of(1000, 3), 2).tensor("c", DType.BF16, Shape.of(77), 3)
                    .dataStart(start, 8).write(folder.resolve("start" + start + ".safetensors"));
            check(file);
            if (bench.claims(Capability.POINTERS)) {
                try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
                    for (WrittenTensor tensor : file.tensors()) {
                        assertEquals(0, weights.get(tensor.name()).address() % tensor.dtype().alignment(),
                                () -> tensor.name() + " of " + file.path());
                    }
                }
            }
        }
    }

    /// Tensors that end just before, at and just after a block of the reader arrive.
    ///
    /// If it fails: look at who owns the bytes of a block that two tensors share.
    @Test
    @DisplayName("F-04 sizes around a block arrive")
    void f_04_sizes_around_a_block_arrive() {
        SafetensorsFixture fixture = SafetensorsFixture.create();
        int[] sizes = {BLOCK, BLOCK - 1, 1, BLOCK + 1, 4095, 2 * BLOCK + 1, BLOCK - 4096, 3};
        for (int i = 0; i < sizes.length; i++) {
            fixture.tensor("t" + i, DType.U8, Shape.of(sizes[i]), Seed.value() + i);
        }
        check(fixture.write(folder.resolve("edges.safetensors")));
    }

    /// A checkpoint of two shards with an index arrives, from its folder, its index, and a Hugging Face cache of links.
    ///
    /// If it fails: each shard is a file with a header of its own.
    @Test
    @DisplayName("F-05 shards arrive, through an index and through links")
    void f_05_shards_arrive_through_an_index_and_through_links() {
        CheckpointFixture fixture = CheckpointFixture.create()
                .shard("model-00001-of-00002.safetensors",
                        SafetensorsFixture.create().tensor("a", DType.F32, Shape.of(300, 7), 1)
                                .tensor("b", DType.BF16, Shape.of(11), 2))
                .shard("model-00002-of-00002.safetensors",
                        SafetensorsFixture.create().tensor("c", DType.F8_E4M3, Shape.of(70_001), 3));
        WrittenCheckpoint plain = fixture.write(folder.resolve("shards"));
        check(plain.directory(), plain.tensors());
        check(plain.index(), plain.tensors());
        WrittenCheckpoint links = fixture.writeHuggingFaceCache(folder.resolve("hub"), "org", "model");
        check(links.directory(), links.tensors());
    }

    /// Slices, with steps and from the end, have the elements that they should (capability KERNELS for those that are
    /// not contiguous).
    ///
    /// If it fails: compare with the gather rules; if those hold, the strides that the loader computes are wrong.
    @Test
    @DisplayName("F-06 slices have the right elements")
    void f_06_slices_have_the_right_elements() {
        bench.need(Capability.KERNELS);
        WrittenFile file = SafetensorsFixture.create().tensor("t", DType.F32, Shape.of(9, 20, 6), Seed.value())
                .write(folder.resolve("slices.safetensors"));
        byte[] bytes = file.tensor("t").bytes();
        try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
            Tensor tensor = weights.get("t");
            compareSlice(bytes, new Strided(Shape.of(4, 20, 6), 240, new long[] {120, 6, 1}),
                    tensor.slice(Slice.range(2, 6)));
            compareSlice(bytes, new Strided(Shape.of(20, 6), 960, new long[] {6, 1}), tensor.slice(Slice.at(-1)));
            compareSlice(bytes, new Strided(Shape.of(9, 5, 6), 18, new long[] {120, 24, 1}),
                    tensor.slice(Slice.all(), Slice.range(3, 20, 4)));
            compareSlice(bytes, new Strided(Shape.of(9, 20), 2, new long[] {120, 6}),
                    tensor.slice(Slice.all(), Slice.all(), Slice.at(2)));
            compareSlice(bytes, new Strided(Shape.of(9, 20, 6), 960 + 114 + 5, new long[] {-120, -6, -1}),
                    tensor.slice(Slice.every(-1), Slice.every(-1), Slice.every(-1)));
        }
    }

    /// A dtype for the load converts floats while loading, and leaves the rest (capability KERNELS).
    ///
    /// If it fails: compare with the conversion rules; if those hold, blocks are cut inside an element.
    @Test
    @DisplayName("F-07 a load can convert")
    void f_07_a_load_can_convert() {
        bench.need(Capability.KERNELS);
        WrittenFile file = SafetensorsFixture.create().tensor("f", DType.F32, Shape.of(300_001), Seed.value())
                .tensor("h", DType.F16, Shape.of(1001), Seed.value()).tensor("i", DType.I64, Shape.of(101), 5)
                .dataStart(1, 8).write(folder.resolve("convert.safetensors"));
        try (Loader loader = loader().dtype(DType.BF16).build(); Weights weights = loader.load(file.path())) {
            for (WrittenTensor written : file.tensors()) {
                DType to = written.dtype().isFloat() ? DType.BF16 : written.dtype();
                Tensor tensor = weights.get(written.name());
                assertEquals(to, tensor.dtype(), written.name());
                assertBytes(converted(written, to), bytes(tensor), written.name() + " as " + to);
            }
        }
    }

    /// `to(dtype)` converts a loaded tensor as the kernels do (capability KERNELS).
    ///
    /// If it fails: as F-07.
    @Test
    @DisplayName("F-08 a loaded tensor can be converted")
    void f_08_a_loaded_tensor_can_be_converted() {
        bench.need(Capability.KERNELS);
        WrittenFile file = SafetensorsFixture.create().tensor("f", DType.F32, Shape.of(5000), Seed.value())
                .write(folder.resolve("to.safetensors"));
        try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
            for (DType to : List.of(DType.BF16, DType.F16, DType.F8_E4M3, DType.F64, DType.I8)) {
                assertBytes(converted(file.tensor("f"), to), bytes(weights.get("f").to(to)), "F32 to " + to);
            }
        }
    }

    /// After the weights are closed their tensors throw [IllegalStateException], on every device.
    ///
    /// If it fails: an address that was given out before may be another tensor's now.
    @Test
    @DisplayName("F-09 tensors end with their weights")
    void f_09_tensors_end_with_their_weights() {
        WrittenFile file = SafetensorsFixture.create().tensor("t", DType.F32, Shape.of(64), 1)
                .write(folder.resolve("closed.safetensors"));
        try (Loader loader = loader().build()) {
            Weights weights = loader.load(file.path());
            Tensor tensor = weights.get("t");
            weights.close();
            assertTrue(tensor.isClosed(), "the tensor is open");
            assertAll(() -> assertThrows(IllegalStateException.class, () -> weights.get("t"), "get"),
                    () -> assertThrows(IllegalStateException.class, tensor::handle, "handle"),
                    () -> assertThrows(IllegalStateException.class, () -> bytes(tensor), "copyTo"),
                    () -> assertThrows(IllegalStateException.class, () -> tensor.slice(Slice.at(0)), "slice"),
                    () -> assertThrows(IllegalStateException.class, () -> tensor.to(DType.F16), "to"));
        }
    }

    /// A detached tensor outlives its weights and its loader.
    ///
    /// If it fails: it holds a reference of its own to the buffer, and that one to the backend.
    @Test
    @DisplayName("F-10 a detached tensor outlives its weights")
    void f_10_a_detached_tensor_outlives_its_weights() {
        WrittenFile file = SafetensorsFixture.create().tensor("t", DType.F32, Shape.of(6400), Seed.value())
                .tensor("u", DType.F32, Shape.of(64), 1).write(folder.resolve("detached.safetensors"));
        Tensor kept;
        try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
            kept = weights.get("t").detach();
        }
        try (kept) {
            assertBytes(file.tensor("t").bytes(), bytes(kept), "a detached tensor");
        }
        assertThrows(IllegalStateException.class, kept::handle, "a detached tensor that was closed");
    }

    /// Every transfer path that the backend is capable of loads the same bytes: staging, mappings (registered, or on the host's
    /// own processor as the memory of the tensors), direct storage; by one reader and by several, with direct reads of the
    /// disk and without.
    ///
    /// If it fails for one path: the rules of its group (C, C-09, D) are the place to look.
    @Test
    @DisplayName("F-11 every transfer path loads the same")
    void f_11_every_transfer_path_loads_the_same() {
        WrittenFile file = mixed("paths");
        for (TransferPath path : paths()) {
            for (int readers : new int[] {1, 4}) {
                for (DirectIo directIo : new DirectIo[] {DirectIo.ALWAYS, DirectIo.NEVER}) {
                    try (Loader loader = loader().transferPath(path).readers(readers).directIo(directIo).build();
                            Weights weights = loader.load(file.path())) {
                        for (WrittenTensor written : file.tensors()) {
                            assertBytes(written.bytes(), bytes(weights.get(written.name())),
                                    written.name() + " by " + path + " and " + readers + " readers");
                        }
                    }
                }
            }
        }
    }

    private List<TransferPath> paths() {
        List<TransferPath> paths = new ArrayList<>(List.of(TransferPath.AUTO, TransferPath.STAGED));
        boolean maps = bench.claims(Capability.HOST_ADDRESSABLE)
                ? bench.claims(Capability.POINTERS) && bench.backend.info().kind() == DeviceKind.CPU
                : bench.claims(Capability.HOST_REGISTRATION);
        if (maps) {
            paths.add(TransferPath.MAPPED);
        }
        if (bench.claims(Capability.DIRECT_STORAGE)) {
            paths.add(TransferPath.DIRECT);
        }
        return paths;
    }

    /// A stream under a budget hands out every tensor once, with its bytes, borrowed and owned.
    ///
    /// If it fails: memory that was freed is used again at once; a buffer's bytes may not change after its fence.
    @Test
    @DisplayName("F-12 a stream under a budget brings every tensor")
    void f_12_a_stream_under_a_budget_brings_every_tensor() {
        WrittenFile file = mixed("streamed");
        for (boolean owned : new boolean[] {false, true}) {
            Set<String> names = new HashSet<>();
            try (Loader loader = loader().deviceBudget(24L << 20).build();
                    TensorStream stream = loader.stream(file.path(), StreamOptions.defaults().withOwned(owned))) {
                for (Tensor tensor : stream) {
                    assertTrue(names.add(tensor.name()), () -> tensor.name() + " came twice");
                    assertBytes(file.tensor(tensor.name()).bytes(), bytes(tensor), tensor.name() + " of a stream");
                    if (owned) {
                        tensor.close();
                    }
                }
            }
            assertEquals(file.tensors().size(), names.size(), "tensors of a stream");
        }
    }

    /// A checkpoint that is rewritten through the device has the same tensors.
    ///
    /// If it fails: copies to the host are used here in pieces, many at once.
    @Test
    @DisplayName("F-13 a checkpoint can be rewritten through the device")
    void f_13_a_checkpoint_can_be_rewritten_through_the_device() {
        WrittenFile file = mixed("before");
        Path after = folder.resolve("after.safetensors");
        try (Loader loader = loader().build()) {
            loader.rewrite(file.path(), after, WriteOptions.defaults());
        }
        check(after, file.tensors());
    }

    /// Digests are compared where the tensors were placed: right ones pass, and a wrong one is found.
    ///
    /// If it fails: the bytes on the device are others than in the file, or are changed by reading them back.
    @Test
    @DisplayName("F-14 digests are compared on the device")
    void f_14_digests_are_compared_on_the_device() throws IOException {
        WrittenFile file = mixed("plain");
        Path digested = folder.resolve("digested.safetensors");
        try (Loader loader = loader().build()) {
            loader.rewrite(file.path(), digested, WriteOptions.defaults().withDigests(true));
        }
        try (Loader loader = loader().checkDigests(true).build(); Weights weights = loader.load(digested)) {
            weights.awaitAll();
        }
        byte[] bytes = Files.readAllBytes(digested);
        bytes[bytes.length - 1] ^= 1;
        Path changed = Files.write(folder.resolve("changed.safetensors"), bytes);
        try (Loader loader = loader().checkDigests(true).build(); Weights weights = loader.load(changed)) {
            assertThrows(FormatException.class, weights::awaitAll, "a wrong digest");
        }
    }

    /// A tensor goes out through DLPack and comes in again, the same memory on the same device (capability POINTERS).
    ///
    /// If it fails: what comes in is a buffer of another class, as in C-12.
    @Test
    @DisplayName("F-15 a tensor passes through DLPack")
    void f_15_a_tensor_passes_through_dlpack() {
        bench.need(Capability.POINTERS);
        WrittenFile file = mixed("passed");
        WrittenTensor written = file.tensors().getFirst();
        try (Loader loader = loader().build(); Weights weights = loader.load(file.path())) {
            Tensor tensor = weights.get(written.name());
            Dlpack struct;
            try {
                struct = tensor.toDlpack(DlpackVersion.VERSIONED);
            } catch (UnsupportedFeatureException e) {
                Assumptions.abort("no DLPack here: " + e.getMessage());
                return;
            }
            try (struct; Tensor again = loader.fromDlpack(struct.address(), DlpackVersion.VERSIONED)) {
                struct.consumed();
                assertEquals(tensor.address(), again.address(), "the address");
                assertEquals(written.shape(), again.shape());
                assertEquals(written.dtype(), again.dtype());
                assertBytes(written.bytes(), bytes(again), "a tensor through DLPack");
                if (bench.claims(Capability.KERNELS)) {
                    assertBytes(converted(written, DType.BF16), bytes(again.to(DType.BF16)), "converted after DLPack");
                }
            }
        }
    }

    /// Tensors of several blocks and dtypes, some not aligned.
    private WrittenFile mixed(String name) {
        return SafetensorsFixture.create().tensor("a", DType.F32, Shape.of(700, 1000), Seed.value())
                .tensor("b", DType.BF16, Shape.of(1 << 20), Seed.value() + 1)
                .tensor("c", DType.U8, Shape.of(BLOCK + 1), Seed.value() + 2)
                .tensor("d", DType.F16, Shape.of(333, 3), Seed.value() + 3)
                .write(folder.resolve(name + ".safetensors"));
    }

    private LoaderBuilder loader() {
        LoaderBuilder builder = Loader.builder().backend(bench.provider.name()).device(bench.device).blockBytes(BLOCK);
        try (Loader found = builder.build()) {
            assertEquals(bench.provider.name(), found.backend().name(), "the backend that the loader picked");
            return builder;
        } catch (BackendUnavailableException e) {
            return fail("the loader does not find this backend; is it in META-INF/services? " + e.getMessage());
        }
    }

    private void check(WrittenFile file) {
        check(file.path(), file.tensors());
    }

    private void check(Path checkpoint, List<WrittenTensor> tensors) {
        try (Loader loader = loader().build(); Weights weights = loader.load(checkpoint)) {
            Set<String> names = tensors.stream().map(WrittenTensor::name).collect(Collectors.toSet());
            assertEquals(names, Set.copyOf(weights.names()), "names");
            for (WrittenTensor written : tensors) {
                Tensor tensor = weights.get(written.name());
                assertEquals(written.dtype(), tensor.dtype(), written.name());
                assertEquals(written.shape(), tensor.shape(), written.name());
                assertEquals(bench.device, tensor.device(), written.name());
                byte[] bytes = bytes(tensor);
                assertBytes(written.bytes(), bytes, written.name());
                assertEquals(written.sha256(), Content.sha256(bytes), () -> "digest of " + written.name());
            }
        }
    }

    private static void compareSlice(byte[] bytes, Strided view, Tensor slice) {
        assertEquals(view.shape(), slice.shape(), "the slice's shape");
        byte[] expected = new byte[(int) DType.F32.byteSize(view.shape().elements())];
        ScalarReference.gather(MemorySegment.ofArray(bytes), DType.F32, view, MemorySegment.ofArray(expected),
                DType.F32);
        assertBytes(expected, bytes(slice), "slice " + view);
    }

    private static byte[] converted(WrittenTensor written, DType to) {
        long elements = written.shape().elements();
        byte[] expected = new byte[(int) to.byteSize(elements)];
        ScalarReference.convert(MemorySegment.ofArray(written.bytes()), written.dtype(),
                MemorySegment.ofArray(expected), to, elements);
        return expected;
    }

    private static byte[] bytes(Tensor tensor) {
        try (Arena arena = Arena.ofShared()) {
            MemorySegment host = arena.allocate(tensor.byteSize(), 8);
            tensor.copyTo(host);
            return host.toArray(ValueLayout.JAVA_BYTE);
        }
    }
}
