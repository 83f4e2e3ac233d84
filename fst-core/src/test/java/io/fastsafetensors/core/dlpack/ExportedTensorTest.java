package io.fastsafetensors.core.dlpack;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.api.Dlpack;
import io.fastsafetensors.api.DlpackVersion;
import io.fastsafetensors.api.LeakDetection;
import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.DeviceInfo;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.ffm.WordFunction;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DeviceHandle;
import io.fastsafetensors.types.Shape;
import java.lang.foreign.Arena;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Structs of memory that is on no device of this machine.
class ExportedTensorTest {
    private static final DeviceHandle POINTER = DeviceHandle.pointer(0x7000_0000_0100L);

    private final FarDevice far = new FarDevice();

    private static DeviceInfo device(String type, int index, Integer... dlpackTypes) {
        return DeviceInfo.of(new Device(type, index), DeviceKind.GPU, "far").withDlpackTypes(dlpackTypes);
    }

    private static Dlpack export(SharedBuffer buffer, DlpackVersion version) {
        return ExportedTensor.of(
                new ExportedTensor.Source("t", DType.BF16, Shape.of(5, 7), 70, buffer, 32), version,
                LeakDetection.ON);
    }

    @AfterEach
    void nothing_is_out() {
        assertEquals(0, ExportedTensor.out());
    }

    private static void assertDevice(int type, int id, long data, long byteOffset, Dlpack struct) {
        try (Arena arena = Arena.ofConfined(); struct) {
            ManagedTensor said = ManagedTensor.at(struct.address(), struct.version(), arena);
            assertEquals(type, said.deviceType());
            assertEquals(id, said.deviceId());
            assertEquals(data, said.data());
            assertEquals(byteOffset, said.byteOffset());
            assertArrayEquals(new long[] {5, 7}, said.shape());
            assertArrayEquals(new long[] {7, 1}, said.strides());
        }
    }

    @Test
    void devices_are_named_and_addressed_as_dlpack_has_it() {
        for (DlpackVersion version : DlpackVersion.values()) {
            assertDevice(2, 3, POINTER.value() + 32, 0,
                    export(far.buffer(device("cuda", 3, 2, 13), POINTER, 200), version));
            assertDevice(10, 1, POINTER.value() + 32, 0,
                    export(far.buffer(device("rocm", 1, 10), POINTER, 200), version));
            DeviceHandle object = new DeviceHandle(DeviceHandle.Kind.CL_MEM, 0x55, 64);
            assertDevice(4, 0, 0x55, 96, export(far.buffer(device("opencl", 0, 4), object, 200), version));
        }
        assertEquals(6, far.freed.get());
        assertEquals(6, far.closed.get(), "the struct was the last to hold the backend");
    }

    @Test
    void a_device_that_dlpack_does_not_know_is_refused_and_nothing_is_held() {
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> export(far.buffer(device("abacus", 0), POINTER, 200), DlpackVersion.VERSIONED));
        assertTrue(e.getMessage().contains("abacus:0") && e.getMessage().contains("tensor t"), e.getMessage());
        assertEquals(1, far.freed.get());
    }

    @Test
    void memory_that_cannot_be_freed_does_not_end_the_machine() {
        far.failure = new BackendException("the device is lost", Where.nowhere());
        Dlpack struct = export(far.buffer(device("cuda", 0, 2), POINTER, 200), DlpackVersion.VERSIONED);
        long address = struct.address();
        struct.consumed();
        WordFunction.at(ExportedTensor.deleter()).call(address);
        assertEquals(1, far.freed.get());
        WordFunction.at(ExportedTensor.deleter()).call(address);
        WordFunction.at(ExportedTensor.deleter()).call(0);
        assertEquals(1, far.freed.get());
    }

    @Test
    void ten_thousand_structs_of_one_buffer_let_go_of_it_once() {
        SharedBuffer buffer = far.buffer(device("cuda", 0, 2), POINTER, 200);
        for (int i = 0; i < 10_000; i++) {
            DlpackVersion version = DlpackVersion.values()[i & 1];
            try (Dlpack struct = export(buffer.retain(), version)) {
                long address = struct.address();
                if (i % 3 != 0) {
                    struct.consumed();
                    WordFunction.at(ExportedTensor.deleter()).call(address);
                }
            }
            assertEquals(0, far.freed.get());
        }
        assertEquals(0, ExportedTensor.out());
        buffer.release();
        assertEquals(1, far.freed.get());
    }
}
