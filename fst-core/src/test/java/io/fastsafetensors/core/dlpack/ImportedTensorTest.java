package io.fastsafetensors.core.dlpack;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.core.dlpack.DlpackElements.DataType;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.ffm.Callback;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Structs of memory that is on no device of this machine, and what becomes of them.
class ImportedTensorTest {
    private static final List<Long> DELETED = new ArrayList<>();
    private static final long DELETER = Callback.of("the test's deleter", DELETED::add);
    private static final long DATA = 0x7000_0000_0100L;

    private static DeviceInfo device(String type, int index, Integer... dlpackTypes) {
        return DeviceInfo.of(new Device(type, index), DeviceKind.GPU, "far").withDlpackTypes(dlpackTypes);
    }

    private static ManagedTensor struct(DlpackVersion version, int deviceType, int deviceId) {
        ManagedTensor struct = ManagedTensor.allocate(version, 2, Arena.ofAuto());
        struct.dtype(DataType.of(DType.F32));
        struct.device(deviceType, deviceId);
        struct.data(DATA, 8);
        struct.shape(new long[] {4, 6}, new long[] {6, 1});
        struct.deleter(DELETER);
        return struct;
    }

    @ParameterizedTest
    @EnumSource
    void device_memory_is_a_pointer_and_its_deleter_runs_once(DlpackVersion version) {
        ManagedTensor struct = struct(version, 2, 1);
        ImportedTensor lent = ImportedTensor.read(struct.address(), version, device("cuda", 1, 2), true);
        assertEquals(List.of(DType.F32, Shape.of(4, 6), 96L), List.of(lent.dtype(), lent.shape(), lent.byteSize()));
        ForeignBuffer buffer = lent.buffer();
        assertEquals(DeviceHandle.pointer(DATA + 8), buffer.handle());
        assertEquals(96, buffer.byteSize());
        assertTrue(buffer.segment().isEmpty(), "the host cannot address it");
        assertFalse(buffer.isReadOnly());
        buffer.own();
        DELETED.clear();
        IntStream.range(0, 8).parallel().forEach(_ -> buffer.close());
        assertEquals(List.of(struct.address()), DELETED);
        assertThrows(IllegalStateException.class, buffer::handle);
        assertThrows(IllegalStateException.class, buffer::segment);
        assertThrows(IllegalStateException.class, buffer::byteSize);
    }

    @Test
    void what_was_only_looked_at_stays_with_its_owner() {
        DELETED.clear();
        ManagedTensor struct = struct(DlpackVersion.VERSIONED, 10, 0);
        ImportedTensor.read(struct.address(), DlpackVersion.VERSIONED, device("rocm", 0, 10), true).buffer().close();
        assertEquals(List.of(), DELETED);
    }

    private static void assertRefused(String why, ManagedTensor struct, DeviceInfo device) {
        DELETED.clear();
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> ImportedTensor.read(struct.address(), DlpackVersion.VERSIONED, device,
                        !device.device().type().equals("opencl")));
        assertTrue(e.getMessage().contains(why), e.getMessage());
        assertEquals(List.of(), DELETED);
    }

    @Test
    void a_tensor_of_another_device_is_refused_by_name() {
        DeviceInfo cuda = device("cuda", 0, 2);
        assertRefused("is on kDLCUDA:1 and this loader for cuda:0", struct(DlpackVersion.VERSIONED, 2, 1), cuda);
        assertRefused("is on kDLROCM:0", struct(DlpackVersion.VERSIONED, 10, 0), cuda);
        assertRefused("is on kDLCPU:0", struct(DlpackVersion.VERSIONED, 1, 0), cuda);
        assertRefused("is on kDLCUDAHost:0", struct(DlpackVersion.VERSIONED, 3, 0), cuda);
        assertRefused("is on DLDeviceType 99:0", struct(DlpackVersion.VERSIONED, 99, 0), cuda);
        assertRefused("is on kDLCUDA:0", struct(DlpackVersion.VERSIONED, 2, 0), device("cpu", 0, 1, 3, 11));
        assertRefused("is on kDLOpenCL:0", struct(DlpackVersion.VERSIONED, 4, 0), device("opencl", 0, 4));
        assertRefused("a loader takes tensors of its own device: kDLCUDA", struct(DlpackVersion.VERSIONED, 1, 0), cuda);
        assertRefused("of its own device: none", struct(DlpackVersion.VERSIONED, 1, 0), device("abacus", 0));
    }

    @Test
    void every_dtype_comes_back_from_both_structs_as_far_as_they_can_say_it() {
        for (DType dtype : DType.values()) {
            for (Shape shape : List.of(Shape.of(2, 3, 4), Shape.of(4, 3), Shape.of(8))) {
                long bytes = dtype.byteSize(shape.elements());
                DlpackElements there = DlpackElements.of(dtype, shape, bytes, DlpackVersion.VERSIONED);
                assertEquals(dtype, there.dtype().orElseThrow());
                assertEquals(shape, there.lanes());
                DlpackElements legacy = DlpackElements.of(dtype, shape, bytes, DlpackVersion.LEGACY);
                assertEquals(bytes, legacy.dtype().orElseThrow().byteSize(legacy.lanes().elements()));
            }
        }
    }

    @Test
    void types_that_the_format_does_not_have() {
        Shape shape = Shape.of(4);
        for (DataType type : List.of(new DataType(0, 4, 1), new DataType(2, 32, 4), new DataType(2, 128, 1),
                new DataType(3, 64, 1), new DataType(6, 1, 1), new DataType(7, 8, 1), new DataType(17, 8, 1),
                new DataType(17, 4, 4), new DataType(255, 8, 1), new DataType(1, 8, 0))) {
            assertTrue(new DlpackElements(type, shape).dtype().isEmpty(), type.toString());
        }
        assertTrue(new DlpackElements(new DataType(17, 4, 2), Shape.of()).dtype().isEmpty());
    }

    @Test
    void strides_count_only_where_there_is_a_neighbour() {
        DlpackElements elements = new DlpackElements(DataType.BYTE, Shape.of(3, 1, 4));
        assertTrue(elements.isContiguous(new long[] {4, 4, 1}));
        assertTrue(elements.isContiguous(new long[] {4, -99, 1}));
        assertFalse(elements.isContiguous(new long[] {8, 4, 1}));
        assertFalse(elements.isContiguous(new long[] {4, 4, 2}));
        assertFalse(elements.isContiguous(new long[] {1, 1, 3}));
        assertTrue(new DlpackElements(DataType.BYTE, Shape.of(3, 0)).isContiguous(new long[] {-1, 7}));
        assertTrue(new DlpackElements(DataType.BYTE, Shape.of()).isContiguous(new long[0]));
    }
}
