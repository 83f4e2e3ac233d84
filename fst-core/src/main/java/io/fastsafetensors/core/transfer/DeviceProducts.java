package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.dequant.QuantizedReads;
import io.fastsafetensors.core.plan.BlockTable;
import io.fastsafetensors.core.plan.PlannedTensors;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.spi.DeviceBuffer;
import io.fastsafetensors.spi.Kernels;
import io.fastsafetensors.spi.ScaleGrid;
import io.fastsafetensors.types.DType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/// The parts of one block of de-quantised tensors: elements and scales, read into a slot together, copied to the device
/// together, and multiplied to the tensors' places there. Used by one reader.
///
/// What crosses the link is the quantised elements with their scales, a half or a quarter of the product. The product
/// is made on the device by the backend's kernel, in the order of the stream, so the elements need no fence of their
/// own.
final class DeviceProducts implements QuantizedReads.Sink {
    private final LoadContext load;
    /// The parts of the block at hand, in the order of their tensors.
    private final List<Product> products = new ArrayList<>();
    private PlannedTensors tensors;
    /// The tensor whose parts are being read: what is told of a part does not name it.
    private int tensor;
    /// Bytes of the slot that are in use.
    ///
    /// −1 once some part of the block cannot be read so.
    private long used;

    /// Elements and scales in the slot, and where their product goes; see [QuantizedReads.Sink#quantized].
    private record Product(long source, long sourceBytes, DType from, long scales, long scaleBytes, ScaleGrid grid,
            long firstElement, long firstScale, long target, DType to) {
    }

    DeviceProducts(LoadContext load) {
        this.load = load;
        this.tensors = load.plan().planned().getFirst().tensors();
    }

    /// Reads a block.
    ///
    /// Where it returns false the slot holds nothing of use, and the block is read as what it becomes, de-quantised
    /// by the host.
    ///
    /// @return whether the slot holds it now; if not, some part of it can only be read as what it becomes
    boolean read(int block, MemorySegment slot) {
        BlockTable blocks = load.blocks();
        int file = blocks.file(block);
        QuantizedReads reads = load.files().quantizedForBlock(file);
        long before = System.nanoTime();
        products.clear();
        used = 0;
        tensors = load.fileOf(block).tensors();
        long start = blocks.start(block);
        long end = blocks.end(block);
        for (tensor = tensors.firstEndingAfter(start); tensor < tensors.size()
                && tensors.info(tensor).fileOffset() < end; tensor++) {
            long first = Math.max(start, tensors.fileStart(tensor));
            long last = Math.min(end, tensors.fileEnd(tensor));
            if (first < last) {
                used = tensors.isGathered(tensor) ? -1 : reads.readQuantized(first, last, slot, used, this);
            }
            if (used < 0) {
                return false;
            }
        }
        load.files().readQuantized(used, System.nanoTime() - before);
        return true;
    }

    @Override
    public void quantized(long source, long sourceBytes, DType from, long scales, long scaleBytes, ScaleGrid grid,
            long firstElement, long firstScale, long fileOffset, DType to) {
        products.add(new Product(source, sourceBytes, from, scales, scaleBytes, grid, firstElement, firstScale,
                tensors.targetOf(tensor, fileOffset), to));
    }

    /// Submits the copy of what was read, and the multiplications.
    ///
    /// One copy for the block, however many tensors it has parts of. Work of the next block is ordered behind these
    /// multiplications by the stream, so `between` may serve for it too.
    ///
    /// @param between device memory as large as the slot
    void send(MemorySegment slot, CopyStream stream, Kernels kernels, DeviceBuffer between, DeviceBuffer target) {
        if (used == 0) {
            return;
        }
        stream.copyToDevice(slot.asSlice(0, used), between, 0);
        for (Product part : products) {
            long elements = part.sourceBytes * 8 / part.from.bits();
            kernels.dequantize(stream, new BufferSlice(between, part.source, part.sourceBytes), part.from,
                    new BufferSlice(between, part.scales, part.scaleBytes), part.grid, part.firstElement,
                    part.firstScale, new BufferSlice(target, part.target, part.to.byteSize(elements)), part.to);
        }
    }
}
