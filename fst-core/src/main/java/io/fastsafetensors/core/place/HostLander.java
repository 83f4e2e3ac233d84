package io.fastsafetensors.core.place;

import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.Pages;
import io.fastsafetensors.core.plan.PlannedFile;
import io.fastsafetensors.core.plan.PlannedTensor;
import io.fastsafetensors.core.plan.ReadPlan;
import io.fastsafetensors.core.read.BlockReader;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// One reader thread's way of putting blocks into host-addressable memory: in place, or through its slot.
final class Lander implements AutoCloseable {
    private final ReadPlan plan;
    private final List<@Nullable SharedBuffer> buffers;
    private final OpenFiles files;
    private final Backend backend;
    private final LongAdder placeNanos;
    private @Nullable DeviceBuffer slot;
    private @Nullable CopyStream stream;

    Lander(ReadPlan plan, List<@Nullable SharedBuffer> buffers, OpenFiles files, Backend backend,
            LongAdder placeNanos) {
        this.plan = plan;
        this.buffers = buffers;
        this.files = files;
        this.backend = backend;
        this.placeNanos = placeNanos;
    }

    /// Reads block `index` and puts it where the plan says; it is in place when this returns.
    void land(int index) {
        BlockTable blocks = plan.blocks();
        int file = blocks.file(index);
        BlockReader reader = files.forBlock(file);
        DeviceBuffer buffer = required(buffers.get(file)).buffer();
        if (blocks.target(index) != BlockTable.MOVED) {
            reader.read(blocks.start(index), blocks.end(index), segment(buffer), blocks.target(index));
        } else {
            DeviceBuffer through = slot();
            reader.read(blocks.start(index), blocks.end(index), segment(through), 0);
            long before = System.nanoTime();
            move(plan.planned().get(file), blocks.start(index), blocks.end(index), through, buffer);
            placeNanos.add(System.nanoTime() - before);
        }
        files.blockDone(file);
    }

    private void move(PlannedFile file, long start, long end, DeviceBuffer from, DeviceBuffer to) {
        long base = Pages.floor(start);
        boolean converted = false;
        for (int t = firstTouching(file.tensors(), start); t < file.tensors().size(); t++) {
            PlannedTensor tensor = file.tensors().get(t);
            long tensorStart = tensor.info().fileOffset();
            if (tensorStart >= end) {
                break;
            }
            long a = Math.max(start, tensorStart);
            long b = Math.min(end, tensor.info().fileEnd());
            if (a >= b) {
                continue;
            }
            if (tensor.isConverted()) {
                convert(tensor, a - tensorStart, b - a, from, a - base, to);
                converted = true;
            } else {
                MemorySegment.copy(segment(from), a - base, segment(to), tensor.bufferOffset() + a - tensorStart,
                        b - a);
            }
        }
        if (converted) {
            stream().synchronize();
        }
    }

    private void convert(PlannedTensor tensor, long fromByte, long bytes, DeviceBuffer from, long fromOffset,
            DeviceBuffer to) {
        int sourceBits = tensor.info().dtype().bits();
        long elements = Math.multiplyExact(bytes, 8) / sourceBits;
        long first = Math.multiplyExact(fromByte, 8) / sourceBits;
        int targetBits = tensor.dtype().bits();
        backend.kernels().convert(stream(), new BufferSlice(from, fromOffset, bytes), tensor.info().dtype(),
                new BufferSlice(to, tensor.bufferOffset() + first * targetBits / 8, elements * targetBits / 8),
                tensor.dtype(), elements);
    }

    /// The first tensor that ends after `start`.
    private static int firstTouching(List<PlannedTensor> tensors, long start) {
        int low = 0;
        int high = tensors.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            if (tensors.get(middle).info().fileEnd() <= start) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return low;
    }

    private DeviceBuffer slot() {
        DeviceBuffer mine = slot;
        if (mine == null) {
            mine = backend.allocate(plan.slotBytes(), Pages.SIZE);
            slot = mine;
        }
        return mine;
    }

    private CopyStream stream() {
        CopyStream mine = stream;
        if (mine == null) {
            mine = backend.openCopyStream();
            stream = mine;
        }
        return mine;
    }

    private static MemorySegment segment(DeviceBuffer buffer) {
        return buffer.segment().orElseThrow(() -> new AssertionError("planned for host-addressable memory"));
    }

    private static SharedBuffer required(@Nullable SharedBuffer buffer) {
        if (buffer == null) {
            throw new AssertionError("a block of a file without a buffer");
        }
        return buffer;
    }

    @Override
    public void close() {
        if (stream != null) {
            stream.close();
        }
        if (slot != null) {
            slot.close();
        }
    }
}
