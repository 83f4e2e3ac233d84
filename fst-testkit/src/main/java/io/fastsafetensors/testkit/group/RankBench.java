package io.fastsafetensors.testkit.group;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.testkit.fixture.Seed;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;

/// One rank with its device, a stream, and memory with known bytes. Used by the rank's thread.
public final class RankBench implements AutoCloseable {
    /// Bytes around each slice, which nobody may write.
    private static final int GUARD = 64;
    private static final byte GUARD_BYTE = 0x5A;

    private final ProcessGroup group;
    private final Backend backend;
    private final CopyStream stream;
    private final List<DeviceBuffer> buffers = new ArrayList<>();
    private final Others others;

    /// The other ranks, as far as this one can tell.
    @FunctionalInterface
    public interface Others {
        /// Waits until they have ended their scripts, for so long at most.
        void await(long time, TimeUnit unit) throws InterruptedException;
    }

    /// A rank that cannot tell when the others have ended.
    ///
    /// @param group this rank's; not closed here
    /// @param backend of the rank's device; not closed here
    public RankBench(ProcessGroup group, Backend backend) {
        this(group, backend, (_, _) -> Thread.sleep(group.timeout().multipliedBy(2)));
    }

    /// @param group this rank's; not closed here
    /// @param backend of the rank's device; not closed here
    /// @param others the other ranks
    public RankBench(ProcessGroup group, Backend backend, Others others) {
        this.others = others;
        this.group = group;
        this.backend = backend;
        this.stream = backend.openCopyStream();
    }

    /// This rank's group. Close it before the bench, whose memory it moves.
    public ProcessGroup group() {
        return group;
    }

    /// Does nothing until the other ranks have ended their scripts, or for so long.
    void stayAway(Duration longest) throws InterruptedException {
        others.await(longest.toMillis(), TimeUnit.MILLISECONDS);
    }

    CopyStream stream() {
        return stream;
    }

    int rank() {
        return group.rank();
    }

    int size() {
        return group.size();
    }

    String deviceType() {
        return backend.info().device().type();
    }

    /// Known bytes: the same on every rank that asks for the same.
    static byte[] bytes(int of, int length) {
        byte[] bytes = new byte[length];
        new Random(Seed.value() * 31 + of).nextBytes(bytes);
        return bytes;
    }

    /// Memory of the device with these bytes, and guards around them; freed with the bench.
    BufferSlice of(byte[] bytes) {
        BufferSlice slice = empty(bytes.length);
        put(bytes, slice);
        stream.synchronize();
        return slice;
    }

    /// Memory of the device with zeros.
    BufferSlice zeros(int length) {
        return of(new byte[length]);
    }

    private BufferSlice empty(int length) {
        DeviceBuffer buffer = backend.allocate(length + 2L * GUARD, 256);
        buffers.add(buffer);
        byte[] guard = new byte[GUARD];
        Arrays.fill(guard, GUARD_BYTE);
        put(guard, new BufferSlice(buffer, 0, GUARD));
        put(guard, new BufferSlice(buffer, GUARD + (long) length, GUARD));
        return new BufferSlice(buffer, GUARD, length);
    }

    /// Queues a copy of bytes to the device; they may be let go of when it returns.
    void put(byte[] bytes, BufferSlice into) {
        stream.copyToDevice(MemorySegment.ofArray(bytes), into.buffer(), into.offset());
    }

    /// The bytes of a slice, after what is queued on the stream; the guards are checked where the slice has them.
    byte[] read(BufferSlice slice) {
        byte[] whole = copy(BufferSlice.of(slice.buffer()));
        for (int i = 0; i < GUARD; i++) {
            if (whole[i] != GUARD_BYTE || whole[whole.length - 1 - i] != GUARD_BYTE) {
                throw new AssertionError("bytes beside the slice were written" + Seed.note());
            }
        }
        return Arrays.copyOfRange(whole, (int) slice.offset(), (int) (slice.offset() + slice.byteSize()));
    }

    private byte[] copy(BufferSlice slice) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocate(slice.byteSize());
            stream.copyToHost(slice.buffer(), slice.offset(), copy);
            stream.synchronize();
            return copy.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    @Override
    public void close() {
        stream.close();
        buffers.forEach(DeviceBuffer::close);
    }
}
