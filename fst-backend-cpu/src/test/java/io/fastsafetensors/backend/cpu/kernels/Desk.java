package io.fastsafetensors.backend.cpu.kernels;

import static org.junit.jupiter.api.Assertions.fail;

import io.fastsafetensors.backend.cpu.CpuBackendProvider;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.stream.Stream;

/// A backend with a stream, for tests of its kernels.
final class Desk implements AutoCloseable {
    static final List<DType> CONVERTIBLE = Stream.of(DType.values()).filter(d -> d != DType.C64).toList();

    final Backend backend = new CpuBackendProvider().open(Device.CPU, BackendOptions.defaults());
    final CopyStream stream = backend.openCopyStream();

    DeviceBuffer allocate(long bytes) {
        return backend.allocate(bytes, 64);
    }

    static MemorySegment memory(DeviceBuffer buffer) {
        return buffer.segment().orElseThrow();
    }

    /// Converts raw elements at an odd address and compares each with the oracle. Bytes around the target stay.
    void check(DType from, long[] raw, DType to) {
        int count = raw.length / 8 * 8;
        long sourceBytes = from.byteSize(count);
        long targetBytes = to.byteSize(count);
        try (DeviceBuffer source = allocate(sourceBytes + 1); DeviceBuffer target = allocate(targetBytes + 2)) {
            for (int i = 0; i < count; i++) {
                Bits.set(memory(source), 1, from, i, raw[i]);
            }
            memory(target).fill((byte) 0xA5);
            backend.kernels().convert(stream, new BufferSlice(source, 1, sourceBytes), from,
                    new BufferSlice(target, 1, targetBytes), to, count);
            for (int i = 0; i < count; i++) {
                long expected = Oracle.convert(from, raw[i], to);
                long actual = Bits.get(memory(target), 1, to, i);
                if (expected != actual) {
                    fail(from + " 0x" + Long.toHexString(raw[i]) + " to " + to + ": 0x"
                            + Long.toHexString(actual) + " instead of 0x" + Long.toHexString(expected) + Seed.note());
                }
            }
            if (Bits.get(memory(target), 0, DType.U8, 0) != 0xA5
                    || Bits.get(memory(target), 0, DType.U8, targetBytes + 1) != 0xA5) {
                fail(from + " to " + to + " of " + count + " elements wrote beside its target");
            }
        }
    }

    @Override
    public void close() {
        stream.close();
        backend.close();
    }
}
