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

    private static Dlpack export(SharedBuffer buffer, Device device, DlpackVersion version) {
        return ExportedTensor.of(
                new ExportedTensor.Source("t", DType.BF16, Shape.of(5, 7), 70, device, buffer, 32), version,
                LeakDetection.ON);
    }

    @AfterEach
    void nothing_is_out() {
        assertEquals(0, Exports.count());
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
                    export(far.buffer(POINTER, 200), new Device("cuda", 3), version));
            assertDevice(10, 1, POINTER.value() + 32, 0,
                    export(far.buffer(POINTER, 200), new Device("rocm", 1), version));
            DeviceHandle object = new DeviceHandle(DeviceHandle.Kind.CL_MEM, 0x55, 64);
            assertDevice(4, 0, 0x55, 96, export(far.buffer(object, 200), new Device("opencl", 0), version));
        }
        assertEquals(6, far.freed.get());
        assertEquals(6, far.closed.get(), "the struct was the last to hold the backend");
    }

    @Test
    void a_device_that_dlpack_does_not_know_is_refused_and_nothing_is_held() {
        UnsupportedFeatureException e = assertThrows(UnsupportedFeatureException.class,
                () -> export(far.buffer(POINTER, 200), new Device("abacus", 0), DlpackVersion.VERSIONED));
        assertTrue(e.getMessage().contains("abacus:0") && e.getMessage().contains("tensor t"), e.getMessage());
        assertEquals(1, far.freed.get());
    }

    @Test
    void memory_that_cannot_be_freed_does_not_end_the_machine() {
        far.failure = new BackendException("the device is lost", Where.nowhere());
        Dlpack struct = export(far.buffer(POINTER, 200), new Device("cuda", 0), DlpackVersion.VERSIONED);
        long address = struct.address();
        struct.consumed();
        WordFunction.at(Exports.deleter()).call(address);
        assertEquals(1, far.freed.get());
        WordFunction.at(Exports.deleter()).call(address);
        WordFunction.at(Exports.deleter()).call(0);
        assertEquals(1, far.freed.get());
    }

    @Test
    void ten_thousand_structs_of_one_buffer_let_go_of_it_once() {
        SharedBuffer buffer = far.buffer(POINTER, 200);
        for (int i = 0; i < 10_000; i++) {
            DlpackVersion version = DlpackVersion.values()[i & 1];
            try (Dlpack struct = export(buffer.retain(), new Device("cuda", 0), version)) {
                long address = struct.address();
                if (i % 3 != 0) {
                    struct.consumed();
                    WordFunction.at(Exports.deleter()).call(address);
                }
            }
            assertEquals(0, far.freed.get());
        }
        assertEquals(0, Exports.count());
        buffer.release();
        assertEquals(1, far.freed.get());
    }
}
