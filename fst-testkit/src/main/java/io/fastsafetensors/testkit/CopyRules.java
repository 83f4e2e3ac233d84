package io.fastsafetensors.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.HostRegistration;
import io.fastsafetensors.spi.StagingBuffer;
import io.fastsafetensors.testkit.reference.ScalarReference;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.DeviceHandle;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Optional;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Bytes between host and device: all of them, nothing but them.
abstract class CopyRules extends RuleGroup {
    private static final int[] SIZES = {1, 2, 3, 5, 8, 15, 16, 17, 63, 64, 65, 255, 256, 257, 4095, 4096, 4097, 65_537,
        (1 << 20) + 3};

    CopyRules(BackendConformance suite) {
        super(suite);
    }

    /// Bytes go from staging memory to the device and back unchanged, whatever their number.
    ///
    /// If it fails at odd sizes: look for a copy in whole words without its tail.
    @Test
    @DisplayName("C-01 bytes come back as they were sent, at every size")
    void c_01_bytes_come_back_as_they_were_sent_at_every_size() {
        RandomGenerator random = random();
        for (int size : SIZES) {
            byte[] bytes = Workbench.bytes(random, size);
            for (int i = 0; i < size; i++) {
                // Fresh memory is zeros as a rule: a byte that stays behind shows only where it is none.
                bytes[i] = bytes[i] == 0 ? 1 : bytes[i];
            }
            assertBytes(bytes, bench.download(bench.upload(bytes)), size + " bytes");
        }
    }

    /// A copy to the device writes its range and nothing else, at any offset and from any address.
    ///
    /// If it fails: offsets are in bytes and need no alignment; check where the target's offset is added.
    @Test
    @DisplayName("C-02 a copy to the device writes its range only, at any offset")
    void c_02_a_copy_to_the_device_writes_its_range_only_at_any_offset() {
        RandomGenerator random = random();
        int room = 9000;
        for (int round = 0; round < (bench.effort == Effort.FULL ? 40 : 12); round++) {
            int size = 1 + random.nextInt(round % 2 == 0 ? 40 : 4200);
            int from = random.nextInt(70);
            int to = random.nextInt(room - size);
            byte[] bytes = Workbench.bytes(random, size);
            byte[] expected = Workbench.filler(room);
            System.arraycopy(bytes, 0, expected, to, size);
            try (DeviceBuffer buffer = bench.backend.allocate(room, 256);
                    StagingBuffer staging = bench.backend.allocateStaging(from + size);
                    CopyStream stream = bench.backend.openCopyStream()) {
                bench.upload(Workbench.filler(room), buffer, 0);
                MemorySegment source = staging.segment().asSlice(from, size).copyFrom(MemorySegment.ofArray(bytes));
                stream.copyToDevice(source, buffer, to);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(buffer), size + " bytes from " + from + " to " + to);
            }
        }
    }

    /// A copy to the host reads its range and writes nothing around the target, at any offset and address.
    ///
    /// If it fails: as C-02, the other way round.
    @Test
    @DisplayName("C-03 a copy to the host writes its range only, from any offset")
    void c_03_a_copy_to_the_host_writes_its_range_only_from_any_offset() {
        RandomGenerator random = random();
        byte[] bytes = Workbench.bytes(random, 9000);
        DeviceBuffer buffer = bench.upload(bytes);
        for (int round = 0; round < (bench.effort == Effort.FULL ? 40 : 12); round++) {
            int size = 1 + random.nextInt(round % 2 == 0 ? 40 : 4200);
            int from = random.nextInt(bytes.length - size);
            int to = random.nextInt(70);
            byte[] expected = Workbench.filler(to + size + 70);
            System.arraycopy(bytes, from, expected, to, size);
            try (StagingBuffer staging = bench.backend.allocateStaging(expected.length);
                    CopyStream stream = bench.backend.openCopyStream()) {
                staging.segment().copyFrom(MemorySegment.ofArray(Workbench.filler(expected.length)));
                stream.copyToHost(buffer, from, staging.segment().asSlice(to, size));
                Workbench.settle(stream);
                assertBytes(expected, staging.segment().toArray(ValueLayout.JAVA_BYTE),
                        size + " bytes from " + from + " to " + to);
            }
        }
    }

    /// A copy within the device moves its range and nothing else, between buffers and within one.
    ///
    /// If it fails: check the order of source and target, and that both offsets are used.
    @Test
    @DisplayName("C-04 a copy within the device moves its range only")
    void c_04_a_copy_within_the_device_moves_its_range_only() {
        RandomGenerator random = random();
        byte[] bytes = Workbench.bytes(random, 7000);
        DeviceBuffer source = bench.upload(bytes);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            for (int round = 0; round < (bench.effort == Effort.FULL ? 30 : 12); round++) {
                int size = 1 + random.nextInt(round % 2 == 0 ? 40 : 3000);
                int from = random.nextInt(bytes.length - size);
                int to = random.nextInt(4000);
                byte[] expected = Workbench.filler(7001);
                System.arraycopy(bytes, from, expected, to, size);
                DeviceBuffer target = bench.upload(Workbench.filler(expected.length));
                stream.copy(source, from, target, to, size);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(target), size + " bytes from " + from + " to " + to);
            }
            System.arraycopy(bytes, 0, bytes, 4001, 2999);
            stream.copy(source, 0, source, 4001, 2999);
            Workbench.settle(stream);
            assertBytes(bytes, bench.download(source), "a copy within one buffer");
        }
    }

    /// Copies of zero bytes do nothing, in each direction, also at the very end of a buffer.
    ///
    /// If it fails: drivers refuse size 0 or a pointer to the end; return before the driver is called.
    @Test
    @DisplayName("C-05 copies of zero bytes do nothing")
    void c_05_copies_of_zero_bytes_do_nothing() {
        byte[] bytes = Workbench.bytes(random(), 100);
        DeviceBuffer buffer = bench.upload(bytes);
        MemorySegment nothing = bench.staging(16).segment().asSlice(3, 0);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(nothing, buffer, 100);
            stream.copyToHost(buffer, 100, nothing);
            stream.copy(buffer, 100, buffer, 0, 0);
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(buffer), "a buffer after copies of nothing");
    }

    /// Any host memory is a source and a target, not only staging memory: here, memory of an arena.
    ///
    /// If it fails: page-locked memory makes copies fast; memory that is not must still be copied right.
    @Test
    @DisplayName("C-06 host memory of other origin can be copied")
    void c_06_host_memory_of_other_origin_can_be_copied() {
        byte[] bytes = Workbench.bytes(random(), 33_333);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (Arena arena = Arena.ofShared(); CopyStream stream = bench.backend.openCopyStream()) {
            MemorySegment source = arena.allocate(bytes.length + 1).asSlice(1);
            source.copyFrom(MemorySegment.ofArray(bytes));
            MemorySegment target = arena.allocate(bytes.length);
            stream.copyToDevice(source, buffer, 0);
            stream.copyToHost(buffer, 0, target);
            stream.synchronize();
            assertBytes(bytes, target.toArray(ValueLayout.JAVA_BYTE), "bytes through an arena's memory");
        }
    }

    /// A read-only mapping of a file can be copied to the device.
    ///
    /// If it fails: take the address of the segment, and no writable view of it.
    @Test
    @DisplayName("C-07 a read-only mapping can be copied")
    void c_07_a_read_only_mapping_can_be_copied(@TempDir Path folder) throws IOException {
        byte[] bytes = Workbench.bytes(random(), 50_001);
        Path file = Files.write(folder.resolve("mapped"), bytes);
        DeviceBuffer buffer = bench.allocate(bytes.length - 1);
        try (Arena arena = Arena.ofShared();
                FileChannel channel = FileChannel.open(file);
                CopyStream stream = bench.backend.openCopyStream()) {
            MemorySegment mapping = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes.length, arena);
            stream.copyToDevice(mapping.asSlice(1), buffer, 0);
            stream.synchronize();
        }
        assertBytes(Arrays.copyOfRange(bytes, 1, bytes.length), bench.download(buffer), "a mapped file");
    }

    /// A copy may be larger than a block of the hints: here of more than 32 MiB, in each direction.
    ///
    /// If it fails: the hint is advice to the reader, not a limit of the copy; what is cut into pieces needs all of them.
    @Test
    @DisplayName("C-08 a copy may be larger than the block of the hints")
    void c_08_a_copy_may_be_larger_than_the_block_of_the_hints() {
        int size = bench.effort == Effort.FULL ? (66 << 20) + 4097 : (33 << 20) + 4097;
        byte[] bytes = Workbench.bytes(random(), size);
        DeviceBuffer buffer = bench.upload(bytes);
        assertBytes(bytes, bench.download(buffer), size + " bytes");
        DeviceBuffer copy = bench.allocate(size);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copy(buffer, 0, copy, 0, size);
            Workbench.settle(stream);
        }
        assertBytes(bytes, bench.download(copy), size + " bytes within the device");
    }

    /// Memory of the caller can be registered, copied from, and released; closing twice is harmless (capability
    /// HOST_REGISTRATION).
    ///
    /// If it fails for read-only memory: drivers want a flag of their own for read-only mappings. Writable mappings of
    /// files are not tried: Linux 6.5 and newer do not let drivers keep them.
    @Test
    @DisplayName("C-09 the caller's memory can be registered and copied")
    void c_09_the_callers_memory_can_be_registered_and_copied(@TempDir Path folder) throws IOException {
        bench.need(Capability.HOST_REGISTRATION);
        byte[] bytes = Workbench.bytes(random(), 64 << 10);
        Path file = Files.write(folder.resolve("mapped"), bytes);
        for (boolean readOnly : new boolean[] {false, true}) {
            DeviceBuffer buffer = bench.allocate(bytes.length);
            try (Arena arena = Arena.ofShared();
                    FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
                    CopyStream stream = bench.backend.openCopyStream()) {
                MemorySegment mapping = readOnly
                        ? channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes.length, arena)
                        : arena.allocate(bytes.length, 1 << 16).copyFrom(MemorySegment.ofArray(bytes));
                HostRegistration registration = bench.backend.registerHost(mapping, readOnly)
                        .orElseGet(() -> Assumptions.abort("registration is claimed and missing; see rule P-11"));
                assertEquals(bytes.length, registration.byteSize(),
                        "registered bytes");
                stream.copyToDevice(mapping, buffer, 0);
                Workbench.settle(stream);
                registration.close();
                registration.close();
            }
            assertBytes(bytes, bench.download(buffer), readOnly ? "a read-only mapping" : "writable memory");
        }
    }

    /// Arrays, and memory that only the calling thread may touch, are sources and targets too.
    ///
    /// If it fails: a copy that runs on another thread may not touch them; copy them, or a native copy of them, before the
    /// call returns.
    @Test
    @DisplayName("C-10 arrays and memory of one thread can be copied")
    void c_10_arrays_and_memory_of_one_thread_can_be_copied() {
        byte[] bytes = Workbench.bytes(random(), 44_444);
        DeviceBuffer buffer = bench.allocate(bytes.length);
        try (Arena mine = Arena.ofConfined(); CopyStream stream = bench.backend.openCopyStream()) {
            byte[] array = new byte[bytes.length];
            stream.copyToDevice(MemorySegment.ofArray(bytes), buffer, 0);
            stream.copyToHost(buffer, 0, MemorySegment.ofArray(array));
            Workbench.settle(stream);
            assertBytes(bytes, array, "bytes through arrays");
            MemorySegment source = mine.allocate(bytes.length).fill((byte) 7);
            MemorySegment target = mine.allocate(bytes.length);
            stream.copyToDevice(source, buffer, 0);
            stream.copyToHost(buffer, 0, target);
            Workbench.settle(stream);
            assertBytes(source.toArray(ValueLayout.JAVA_BYTE), target.toArray(ValueLayout.JAVA_BYTE),
                    "bytes through memory of one thread");
        }
    }

    /// Copies of any direction reach any place of a buffer of 40 MiB: offsets of more than 16 and 24 bits are not cut.
    ///
    /// If it fails: an offset goes through a `short`, a `char` or a `float`.
    @Test
    @DisplayName("C-11 copies reach far into a buffer")
    void c_11_copies_reach_far_into_a_buffer() {
        RandomGenerator random = random();
        long size = 40 << 20;
        DeviceBuffer buffer = bench.allocate(size);
        DeviceBuffer other = bench.allocate(size);
        long[] places = {0, 1 << 16, (1 << 16) + 5007, 1 << 24, (1 << 24) + 3001, (32 << 20) + 4097, size - 1000};
        byte[][] written = new byte[places.length][];
        try (StagingBuffer staging = bench.backend.allocateStaging(1000);
                CopyStream stream = bench.backend.openCopyStream()) {
            for (int i = 0; i < places.length; i++) {
                written[i] = Workbench.bytes(random, 1000);
                staging.segment().copyFrom(MemorySegment.ofArray(written[i]));
                stream.copyToDevice(staging.segment(), buffer, places[i]);
                Workbench.settle(stream);
            }
            for (int i = 0; i < places.length; i++) {
                stream.copy(buffer, places[i], other, places[places.length - 1 - i], 1000);
            }
            Workbench.settle(stream);
            for (int i = 0; i < places.length; i++) {
                stream.copyToHost(other, places[places.length - 1 - i], staging.segment());
                Workbench.settle(stream);
                assertBytes(written[i], staging.segment().toArray(ValueLayout.JAVA_BYTE), "bytes from " + places[i]);
            }
        }
    }

    /// Any buffer whose handle is a pointer can be copied and converted, no matter what made the object (capability
    /// POINTERS): core makes such objects around memory that another framework allocated.
    ///
    /// If it fails: go by the handle or the segment, and cast to no class of your own.
    @Test
    @DisplayName("C-12 buffers of another class can be copied")
    void c_12_buffers_of_another_class_can_be_copied() {
        bench.need(Capability.POINTERS);
        byte[] bytes = Workbench.bytes(random(), 40_000);
        DeviceBuffer target = bench.allocate(bytes.length);
        DeviceBuffer foreign = new ForeignBuffer(bench.allocate(bytes.length));
        StagingBuffer staging = bench.staged(bytes);
        StagingBuffer back = bench.staging(bytes.length);
        try (CopyStream stream = bench.backend.openCopyStream()) {
            stream.copyToDevice(staging.segment(), foreign, 0);
            stream.copy(foreign, 0, target, 0, bytes.length);
            stream.copyToHost(foreign, 0, back.segment());
            Workbench.settle(stream);
            assertBytes(bytes, back.segment().toArray(ValueLayout.JAVA_BYTE), "bytes of a buffer of another class");
            assertBytes(bytes, bench.download(target), "a copy from a buffer of another class");
            if (bench.claims(Capability.KERNELS)) {
                byte[] expected = new byte[bytes.length / 2];
                ScalarReference.convert(MemorySegment.ofArray(bytes), DType.F32, MemorySegment.ofArray(expected),
                        DType.BF16, bytes.length / 4);
                bench.backend.kernels().convert(stream, BufferSlice.of(foreign), DType.F32,
                        new BufferSlice(target, 0, expected.length), DType.BF16, bytes.length / 4);
                Workbench.settle(stream);
                assertBytes(expected, bench.download(target, 0, expected.length),
                        "a conversion from a buffer of another class");
            }
        }
    }

    /// A buffer like those that core makes around memory that it did not allocate.
    private record ForeignBuffer(DeviceBuffer memory) implements DeviceBuffer {
        @Override
        public long byteSize() {
            return memory.byteSize();
        }

        @Override
        public DeviceHandle handle() {
            return memory.handle();
        }

        @Override
        public Optional<MemorySegment> segment() {
            return memory.segment();
        }

        @Override
        public void close() {
            // Its owner's.
        }
    }
}
