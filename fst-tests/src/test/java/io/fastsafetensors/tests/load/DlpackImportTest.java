package io.fastsafetensors.tests.load;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.api.Loader;
import io.fastsafetensors.api.Pin;
import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.tests.load.DlpackPeer.Lending;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.testkit.leak.LeakExtension;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Tensors lent by a framework written in C.
@Timeout(600)
@ExtendWith(LeakExtension.class)
@Tag("native")
class DlpackImportTest {
    private static final DlpackVersion V = DlpackVersion.VERSIONED;

    @TempDir
    static Path library;
    private static DlpackPeer peer;

    private Loader loader;
    private long deletedBefore;

    @BeforeAll
    static void compile() throws IOException, InterruptedException {
        peer = DlpackPeer.compile(library);
    }

    @BeforeEach
    void open() {
        loader = Loader.builder().device("cpu").leakDetection(LeakDetection.ON).build();
        deletedBefore = peer.deleted();
    }

    @AfterEach
    void close() {
        loader.close();
    }

    private long deleted() {
        return peer.deleted() - deletedBefore;
    }

    /// Twelve floats, 0 to 11.
    private static byte[] floats() {
        ByteBuffer bytes = ByteBuffer.allocate(48).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 12; i++) {
            bytes.putFloat(i);
        }
        return bytes.array();
    }

    private static Lending floatTensor() {
        return Lending.of(V, 2, 32, 3, 4);
    }

    private static byte[] bytes(Tensor tensor) {
        return tensor.segment().toArray(ValueLayout.JAVA_BYTE);
    }

    @ParameterizedTest
    @EnumSource
    void a_lent_tensor_is_the_same_memory_and_goes_back_once(DlpackVersion version) {
        long struct = peer.lend(Lending.of(version, 2, 32, 3, 4).byteOffset(64).strides(4, 1), floats());
        DlpackPeer.Said said = peer.read(struct, version);
        Tensor tensor = loader.fromDlpack(struct, version);
        assertEquals(said.data() + 64, tensor.address());
        assertEquals(DType.F32, tensor.dtype());
        assertEquals(Shape.of(3, 4), tensor.shape());
        assertEquals(48, tensor.byteSize());
        assertEquals(Device.CPU, tensor.device());
        assertEquals("dlpack", tensor.name());
        assertArrayEquals(floats(), bytes(tensor));
        MemorySegment segment = tensor.segment();
        assertFalse(segment.isReadOnly());
        assertEquals(0, deleted());
        tensor.close();
        tensor.close();
        assertEquals(1, deleted());
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        assertThrows(IllegalStateException.class, tensor::address);
    }

    @Test
    void pins_parts_and_structs_made_of_it_keep_it() {
        Tensor tensor = loader.fromDlpack(peer.lend(floatTensor(), floats()), V);
        Pin pin = tensor.pin();
        Tensor part = tensor.slice(Slice.range(1, 2)).detach();
        Dlpack struct = tensor.toDlpack(V);
        loader.close();
        tensor.close();
        assertEquals(0, deleted());
        assertEquals(pin.address() + 16, part.address());
        assertArrayEquals(Arrays.copyOfRange(floats(), 16, 32), bytes(part));
        assertArrayEquals(floats(), peer.bytes(struct.address(), V, 48));
        part.close();
        pin.close();
        assertEquals(0, deleted());
        long address = struct.address();
        struct.consumed();
        peer.deleteOnThread(address, V);
        assertEquals(1, deleted());
    }

    @Test
    void the_backend_works_on_it() {
        try (Tensor tensor = loader.fromDlpack(peer.lend(floatTensor(), floats()), V);
                Arena arena = Arena.ofConfined()) {
            Tensor doubles = tensor.to(DType.F64);
            assertEquals(11.0, doubles.segment().getAtIndex(ValueLayout.JAVA_DOUBLE, 11));
            Tensor column = tensor.slice(Slice.all(), Slice.range(2, 3));
            assertArrayEquals(new float[] {2, 6, 10}, column.segment().toArray(ValueLayout.JAVA_FLOAT));
            MemorySegment copy = arena.allocate(48);
            tensor.copyTo(copy);
            assertArrayEquals(floats(), copy.toArray(ValueLayout.JAVA_BYTE));
        }
        assertEquals(1, deleted());
    }

    @Test
    void strides_may_be_missing_or_arbitrary_where_there_is_one_element() {
        for (Lending lending : new Lending[] {floatTensor(), floatTensor().strides(4, 1),
            Lending.of(V, 2, 32, 1, 12).strides(-7, 1), Lending.of(V, 2, 32, 12, 1).strides(1, 99)}) {
            try (Tensor tensor = loader.fromDlpack(peer.lend(lending, floats()), V)) {
                assertArrayEquals(floats(), bytes(tensor));
            }
        }
        assertEquals(4, deleted());
    }

    @Test
    void scalars_and_tensors_without_elements() {
        try (Tensor scalar = loader.fromDlpack(peer.lend(Lending.of(V, 0, 64), new byte[8]), V);
                Tensor empty = loader.fromDlpack(peer.lend(Lending.of(V, 2, 16, 3, 0).withoutData(), new byte[0]), V)) {
            assertEquals(Shape.of(), scalar.shape());
            assertEquals(8, scalar.segment().byteSize());
            assertEquals(Shape.of(3, 0), empty.shape());
            assertEquals(0, empty.segment().byteSize());
            assertEquals(0, empty.to(DType.F32).byteSize());
        }
        assertEquals(2, deleted());
    }

    @Test
    void pairs_and_single_elements_of_four_bits_are_the_same_dtype() {
        byte[] content = {0x12, 0x34, 0x56};
        try (Tensor pairs = loader.fromDlpack(peer.lend(Lending.of(V, 17, 4, 1, 3).lanes(2), content), V);
                Tensor single = loader.fromDlpack(peer.lend(Lending.of(V, 17, 4, 2, 3), content), V)) {
            assertEquals(DType.F4, pairs.dtype());
            assertEquals(Shape.of(1, 6), pairs.shape());
            assertEquals(DType.F4, single.dtype());
            assertEquals(Shape.of(2, 3), single.shape());
            assertArrayEquals(content, bytes(pairs));
        }
    }

    @Test
    void page_locked_host_memory_is_host_memory() {
        for (int type : new int[] {3, 11}) {
            try (Tensor tensor = loader.fromDlpack(peer.lend(floatTensor().device(type, 1), floats()), V)) {
                assertEquals(Device.CPU, tensor.device());
                assertArrayEquals(floats(), bytes(tensor));
            }
        }
    }

    @Test
    void read_only_memory_stays_read_only() {
        try (Tensor tensor = loader.fromDlpack(peer.lend(floatTensor().flags(1), floats()), V)) {
            assertTrue(tensor.segment().isReadOnly());
            assertFalse(tensor.to(DType.F64).segment().isReadOnly());
            try (Dlpack again = tensor.toDlpack(V)) {
                assertEquals(1, peer.read(again.address(), V).flags());
            }
            assertThrows(UnsupportedFeatureException.class, () -> tensor.toDlpack(DlpackVersion.LEGACY));
        }
        assertEquals(1, deleted());
    }

    @Test
    void a_tensor_that_nobody_wants_back_has_no_deleter() {
        try (Tensor tensor = loader.fromDlpack(peer.lend(floatTensor().withoutDeleter(), floats()), V)) {
            assertArrayEquals(floats(), bytes(tensor));
        }
        assertEquals(0, deleted());
    }

    @Test
    void our_own_struct_comes_back() {
        Tensor second;
        try (Tensor first = loader.fromDlpack(peer.lend(floatTensor(), floats()), V);
                Dlpack struct = first.toDlpack(V)) {
            second = loader.fromDlpack(struct.address(), V);
            struct.consumed();
        }
        assertEquals(0, deleted());
        assertArrayEquals(floats(), bytes(second));
        second.close();
        assertEquals(1, deleted());
    }

    @Test
    void a_dropped_tensor_goes_back_and_is_named() throws InterruptedException {
        try (LeakLog log = new LeakLog()) {
            loader.fromDlpack(peer.lend(floatTensor(), floats()), V);
            assertTrue(log.waitFor("detached tensor \"dlpack\""), log.toString());
            for (int i = 0; i < 1000 && deleted() == 0; i++) {
                Thread.sleep(20);
            }
        }
        assertEquals(1, deleted());
    }

    @Test
    void ten_thousand_lendings_all_go_back() {
        for (int i = 0; i < 10_000; i++) {
            DlpackVersion version = DlpackVersion.values()[i % 2];
            loader.fromDlpack(peer.lend(Lending.of(version, 2, 32, 3, 4), floats()), version).close();
        }
        assertEquals(10_000, deleted());
    }

    private <E extends RuntimeException> void assertRefused(Class<E> type, String why, Lending lending) {
        long struct = peer.lend(lending, floats());
        E e = assertThrows(type, () -> loader.fromDlpack(struct, lending.version()));
        assertTrue(e.getMessage().contains(why), e.getMessage());
        assertEquals(0, deleted());
        assertEquals(lending.major(), peer.read(struct, lending.version()).major(), "untouched");
        peer.delete(struct, lending.version());
        assertEquals(1, deleted());
        deletedBefore++;
    }

    @Test
    void what_cannot_be_taken_stays_with_its_owner() {
        Class<UnsupportedFeatureException> unsupported = UnsupportedFeatureException.class;
        assertRefused(unsupported, "version 2.0", floatTensor().major(2));
        assertRefused(unsupported, "is on kDLCUDA:1 and this loader for cpu", floatTensor().device(2, 1));
        assertRefused(unsupported, "(code 2, 32 bits, 4 lanes)", Lending.of(V, 2, 32, 3).lanes(4));
        assertRefused(unsupported, "(code 7, 8 bits, 1 lane)", Lending.of(V, 7, 8, 3));
        assertRefused(unsupported, "strides [1, 3]", floatTensor().strides(1, 3));
        assertRefused(unsupported, "row-major ones without gaps can be taken: [4, 1]", floatTensor().strides(8, 1));
        assertRefused(unsupported, "not aligned to its F32", floatTensor().byteOffset(2));
        assertRefused(unsupported, "padded", Lending.of(V, 17, 4, 4).flags(4));
        assertRefused(unsupported, "do not fill whole bytes", Lending.of(V, 17, 4, 3));
    }

    @Test
    void broken_structs_are_arguments_of_no_use() {
        Class<IllegalArgumentException> illegal = IllegalArgumentException.class;
        assertRefused(illegal, "negative dimension", Lending.of(V, 2, 32, 3, -4));
        assertRefused(illegal, "no data", floatTensor().withoutData());
        assertRefused(illegal, "too large", Lending.of(V, 2, 32, 1L << 40, 1L << 40));
        assertRefused(illegal, "too large", Lending.of(V, 2, 32, 1L << 59, 8));
        assertThrows(illegal, () -> loader.fromDlpack(0, V));
        assertThrows(illegal, () -> loader.fromDlpack(0x1001, V));
    }

    @Test
    void a_closed_loader_takes_nothing() {
        long struct = peer.lend(floatTensor(), floats());
        loader.close();
        assertThrows(IllegalStateException.class, () -> loader.fromDlpack(struct, V));
        assertEquals(0, deleted());
        peer.delete(struct, V);
    }
}
