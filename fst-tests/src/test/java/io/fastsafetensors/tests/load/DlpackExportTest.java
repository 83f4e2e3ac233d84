package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Loaded tensors in the hands of a consumer written in C.
@Timeout(600)
@ExtendWith(LeakExtension.class)
@Tag("native")
class DlpackExportTest {
    /// Twice what the leak extension tolerates.
    private static final int LARGE = 128 << 20;

    @TempDir
    static Path library;
    private static DlpackPeer peer;

    @TempDir
    Path directory;
    private Path file;

    @BeforeAll
    static void compile() throws IOException, InterruptedException {
        peer = DlpackPeer.compile(library);
    }

    @BeforeEach
    void write() {
        file = directory.resolve("model.safetensors");
        SafetensorsFixture fixture = SafetensorsFixture.create().tensor("scalar", DType.F32, Shape.of(), 90)
                .tensor("empty", DType.BF16, Shape.of(3, 0, 2), 91).tensor("odd", DType.F4, Shape.of(2, 3), 92)
                .tensor("odd6", DType.F6_E2M3, Shape.of(4, 3), 93);
        for (DType dtype : DType.values()) {
            fixture.tensor(dtype.name(), dtype, Shape.of(3, 2, 4), dtype.ordinal());
        }
        fixture.write(file);
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.segment().toArray(ValueLayout.JAVA_BYTE);
    }

    /// What the consumer sees of a tensor that it takes and deletes.
    private static DlpackPeer.Said consume(Tensor tensor, DlpackVersion version) {
        try (Dlpack struct = tensor.toDlpack(version)) {
            assertEquals(version, struct.version());
            long address = struct.address();
            DlpackPeer.Said said = peer.read(address, version);
            assertArrayEquals(bytes(tensor), peer.bytes(address, version, (int) tensor.byteSize()), tensor.name());
            assertEquals(tensor.byteSize() == 0 ? 0 : tensor.address(), said.data());
            assertEquals(0, said.byteOffset());
            struct.consumed();
            peer.delete(address, version);
            return said;
        }
    }

    private static void assertType(int code, int bits, int lanes, List<Long> shape, List<Long> strides,
            DlpackPeer.Said said) {
        assertEquals(List.of(code, bits, lanes), List.of(said.code(), said.bits(), said.lanes()));
        assertEquals(shape, said.shape());
        assertEquals(strides, said.strides());
    }

    @ParameterizedTest
    @EnumSource
    void every_dtype_reaches_the_consumer(DlpackVersion version) {
        List<Integer> codes = List.of(6, 17, 15, 16, 1, 0, 12, 10, 14, 11, 13, 0, 1, 2, 4, 0, 1, 2, 5, 2, 0, 1);
        boolean versioned = version == DlpackVersion.VERSIONED;
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            for (DType dtype : DType.values()) {
                DlpackPeer.Said said = consume(weights.get(dtype.name()), version);
                assertEquals(List.of(versioned ? 1 : 0, versioned ? 1 : 0, 0L, 1, 0), List.of(said.major(),
                        said.minor(), said.flags(), said.deviceType(), said.deviceId()));
                long inner = dtype == DType.F4 ? 2 : !versioned && dtype.isSubByte() ? 3 : 4;
                boolean asBytes = !versioned && dtype.isFloat() && dtype.bits() <= 8;
                assertType(asBytes ? 1 : codes.get(dtype.ordinal()), asBytes ? 8 : dtype.bits(),
                        versioned && dtype == DType.F4 ? 2 : 1, List.of(3L, 2L, inner), List.of(2 * inner, inner, 1L),
                        said);
            }
        }
    }

    @Test
    void shapes_without_dimensions_elements_or_whole_bytes() {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            for (DlpackVersion version : DlpackVersion.values()) {
                assertType(2, 32, 1, List.of(), List.of(), consume(weights.get("scalar"), version));
                assertType(4, 16, 1, List.of(3L, 0L, 2L), List.of(2L, 2L, 1L),
                        consume(weights.get("empty"), version));
            }
            assertType(17, 4, 1, List.of(2L, 3L), List.of(3L, 1L),
                    consume(weights.get("odd"), DlpackVersion.VERSIONED));
            assertType(1, 8, 1, List.of(3L), List.of(1L), consume(weights.get("odd"), DlpackVersion.LEGACY));
            assertType(15, 6, 1, List.of(4L, 3L), List.of(3L, 1L),
                    consume(weights.get("odd6"), DlpackVersion.VERSIONED));
            assertType(1, 8, 1, List.of(9L), List.of(1L), consume(weights.get("odd6"), DlpackVersion.LEGACY));
        }
    }

    @ParameterizedTest
    @EnumSource
    void parts_conversions_and_detached_tensors_are_handed_on_too(DlpackVersion version) {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor whole = weights.get("I32");
            Tensor part = whole.slice(Slice.range(1, 3));
            assertEquals(32, part.address() - whole.address());
            assertType(0, 32, 1, List.of(2L, 2L, 4L), List.of(8L, 4L, 1L), consume(part, version));
            assertType(0, 32, 1, List.of(3L, 1L, 4L), List.of(4L, 4L, 1L),
                    consume(whole.slice(Slice.all(), Slice.range(1, 2)), version));
            assertType(2, 64, 1, List.of(3L, 2L, 4L), List.of(8L, 4L, 1L), consume(whole.to(DType.F64), version));
            try (Tensor detached = part.detach()) {
                consume(detached, version);
            }
        }
    }

    @Test
    void a_closed_tensor_is_not_handed_on() {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor detached = weights.get("U8").detach();
            detached.close();
            assertThrows(IllegalStateException.class, () -> detached.toDlpack(DlpackVersion.VERSIONED));
        }
    }

    private Path large() {
        Path path = directory.resolve("large.safetensors");
        SafetensorsFixture.create().tensor("large", DType.U8, Shape.of(LARGE), 7).write(path);
        return path;
    }

    @ParameterizedTest
    @EnumSource
    void the_consumer_keeps_what_everybody_else_has_closed(DlpackVersion version) {
        long address;
        byte[] expected;
        try (Loader loader = Loader.builder().device("cpu").build(); Weights weights = loader.load(large())) {
            Tensor tensor = weights.get("large");
            expected = tensor.segment().asSlice(0, 4096).toArray(ValueLayout.JAVA_BYTE);
            address = leave(tensor, version);
        }
        System.gc();
        byte[] seen = peer.bytes(address, version, LARGE);
        assertEquals(LARGE, seen.length);
        assertArrayEquals(expected, Arrays.copyOf(seen, 4096));
        if (version == DlpackVersion.VERSIONED) {
            peer.deleteOnThread(address, version);
        } else {
            peer.delete(address, version);
        }
    }

    private static long leave(Tensor tensor, DlpackVersion version) {
        try (Dlpack struct = tensor.toDlpack(version)) {
            long address = struct.address();
            struct.consumed();
            struct.consumed();
            return address;
        }
    }

    @Test
    void ten_thousand_structs_leave_nothing() {
        try (Weights weights = Safetensors.load(large(), Device.CPU)) {
            Tensor tensor = weights.get("large");
            for (int i = 0; i < 10_000; i++) {
                DlpackVersion version = DlpackVersion.values()[i % 2];
                long address = leave(i % 3 == 0 ? tensor.slice(Slice.range(i, i + 10)) : tensor, version);
                if (i % 100 == 0) {
                    peer.deleteOnThread(address, version);
                } else {
                    peer.delete(address, version);
                }
            }
        }
    }

    @Test
    void many_native_threads_delete_at_the_same_time() {
        try (Weights weights = Safetensors.load(large(), Device.CPU)) {
            Tensor tensor = weights.get("large");
            IntStream.range(0, 400).parallel().forEach(
                    _ -> peer.deleteOnThread(leave(tensor, DlpackVersion.VERSIONED), DlpackVersion.VERSIONED));
        }
    }

    @Test
    void a_call_that_holds_the_memory_can_delete_the_struct() {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor tensor = weights.get("U8");
            MemorySegment segment = tensor.segment();
            byte first = segment.get(ValueLayout.JAVA_BYTE, 0);
            long address = leave(tensor, DlpackVersion.VERSIONED);
            assertEquals(Byte.toUnsignedLong(first), peer.deleteUnder(address, DlpackVersion.VERSIONED, segment));
        }
    }

    @Test
    void a_struct_has_one_consumer() {
        try (Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor tensor = weights.get("U8");
            Dlpack consumed = tensor.toDlpack(DlpackVersion.VERSIONED);
            long address = consumed.address();
            long deleter = peer.deleter(address, DlpackVersion.VERSIONED);
            consumed.consumed();
            assertThrows(IllegalStateException.class, consumed::address);
            peer.delete(address, DlpackVersion.VERSIONED);
            peer.deleteAgain(deleter, address);
            consumed.close();
            consumed.consumed();

            Dlpack closed = tensor.toDlpack(DlpackVersion.LEGACY);
            closed.close();
            closed.close();
            assertThrows(IllegalStateException.class, closed::address);
            assertThrows(IllegalStateException.class, closed::consumed);

            Dlpack deleted = tensor.toDlpack(DlpackVersion.LEGACY);
            peer.delete(deleted.address(), DlpackVersion.LEGACY);
            assertThrows(IllegalStateException.class, deleted::address);
            deleted.close();
            assertArrayEquals(bytes(tensor), bytes(weights.get("U8")));
        }
    }

    @Test
    void deleters_of_both_structs_and_all_tensors_are_one_function() {
        try (Weights weights = Safetensors.load(file, Device.CPU);
                Dlpack first = weights.get("U8").toDlpack(DlpackVersion.VERSIONED);
                Dlpack second = weights.get("BF16").toDlpack(DlpackVersion.LEGACY)) {
            assertEquals(peer.deleter(first.address(), DlpackVersion.VERSIONED),
                    peer.deleter(second.address(), DlpackVersion.LEGACY));
        }
    }

    @Test
    void what_is_dropped_without_a_consumer_is_freed_and_named() throws InterruptedException {
        try (LeakLog log = new LeakLog()) {
            try (Weights weights = Safetensors.load(large(), Device.CPU)) {
                weights.get("large").toDlpack(DlpackVersion.VERSIONED);
            }
            assertTrue(log.waitFor("DLPack struct of tensor \"large\""), log.toString());
        }
    }

    @Test
    void what_has_a_consumer_may_be_dropped() throws InterruptedException {
        try (LeakLog log = new LeakLog(); Weights weights = Safetensors.load(file, Device.CPU)) {
            Tensor tensor = weights.get("I64");
            long left = leave(tensor, DlpackVersion.VERSIONED);
            peer.delete(tensor.toDlpack(DlpackVersion.LEGACY).address(), DlpackVersion.LEGACY);
            tensor.toDlpack(DlpackVersion.LEGACY);
            assertTrue(log.waitFor("DLPack struct"), "the one that was dropped");
            assertEquals(1, log.count("DLPack struct"), log.toString());
            assertArrayEquals(bytes(tensor), peer.bytes(left, DlpackVersion.VERSIONED, (int) tensor.byteSize()));
            peer.delete(left, DlpackVersion.VERSIONED);
        }
    }
}
