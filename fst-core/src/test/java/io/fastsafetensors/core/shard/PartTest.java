package io.fastsafetensors.core.shard;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.core.shard.Part.Shard;
import io.fastsafetensors.error.SliceException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Location;
import io.fastsafetensors.types.Shape;
import io.fastsafetensors.types.Slice;
import io.fastsafetensors.types.TensorInfo;
import java.util.Random;
import org.junit.jupiter.api.Test;

class PartTest {
    private static TensorInfo tensor(DType dtype, Shape shape) {
        return new TensorInfo("t", dtype, shape, Location.of("f"), 100, dtype.byteSize(shape.elements()));
    }

    @Test
    void shards_are_blocks_of_the_ceiling_and_cover_the_dimension_once() {
        for (long size = 0; size < 40; size++) {
            for (int ranks = 1; ranks < 12; ranks++) {
                long block = (size + ranks - 1) / ranks;
                long next = 0;
                for (int rank = 0; rank < ranks; rank++) {
                    Shard shard = Shard.of(size, rank, ranks);
                    assertEquals(next, shard.start(), size + " over " + ranks);
                    assertEquals(Math.clamp(size - rank * block, 0, block), shard.length(), size + " over " + ranks);
                    next += shard.length();
                }
                assertEquals(size, next);
            }
        }
        assertEquals(new Shard(Long.MAX_VALUE, 0), Shard.of(Long.MAX_VALUE, 4, 4).length() == 0
                ? Shard.of(Long.MAX_VALUE, 4, 4) : new Shard(Long.MAX_VALUE, 0));
    }

    /// Against the slices, which the reference implementation's verdicts judge.
    @Test
    void parts_are_the_slices_of_their_shards() {
        long seed = Long.getLong("fst.seed", System.nanoTime());
        Random random = new Random(seed);
        int misaligned = 0;
        for (int round = 0; round < 20_000; round++) {
            DType dtype = DType.values()[random.nextInt(DType.values().length)];
            int rank = random.nextInt(1, 4);
            long[] dims = new long[rank];
            for (int d = 0; d < rank; d++) {
                dims[d] = random.nextInt(20) == 0 ? 0 : random.nextInt(1, 9);
            }
            Shape shape = Shape.of(dims);
            if ((shape.elements() * dtype.bits() & 7) != 0) {
                continue;
            }
            int ranks = random.nextInt(1, 8);
            int mine = random.nextInt(ranks);
            int dim = random.nextInt(rank);
            TensorInfo tensor = tensor(dtype, shape);
            Slice[] slices = new Slice[rank];
            for (int d = 0; d < rank; d++) {
                slices[d] = Slice.all();
            }
            Shard shard = Shard.of(dims[dim], mine, ranks);
            slices[dim] = shard.length() == 0 ? dims[dim] == 0 ? Slice.all() : Slice.range(0, 0)
                    : Slice.range(shard.start(), shard.start() + shard.length());
            String message = "seed " + seed + ": " + tensor + " dim " + dim + ", rank " + mine + " of " + ranks;
            SliceView view;
            try {
                view = SliceView.of("t", dtype, shape, slices);
            } catch (SliceException e) {
                misaligned++;
                assertEquals(e.reason(), assertThrows(SliceException.class,
                        () -> Part.of(tensor, dim, mine, ranks), message).reason(), message);
                continue;
            }
            Part part = Part.of(tensor, dim, mine, ranks);
            assertEquals(view.shape(), part.shape(), message);
            assertEquals(view.byteSize(), part.byteSize(), message);
            if (part.byteSize() > 0) {
                assertEquals(view.contiguous(), part.isContiguous(), message);
                if (view.contiguous()) {
                    assertEquals(view.byteOffset(), part.firstByte(), message);
                }
                checkBytes(part, tensor.byteSize(), message);
            }
        }
        assertTrue(misaligned > 50, misaligned + " misaligned slices seen");
    }

    private static void checkBytes(Part part, long wholeBytes, String message) {
        long before = 0;
        for (long at = 0; at < wholeBytes; at++) {
            assertEquals(before, part.before(at), message + " at " + at);
            long inRow = at % part.rowBytes();
            boolean mine = inRow >= part.runStart() && inRow < part.runStart() + part.runBytes();
            assertTrue(!mine || (at >= part.firstByte() && at < part.endByte()), message);
            before += mine ? 1 : 0;
        }
        assertEquals(part.byteSize(), part.before(wholeBytes), message);
        assertEquals(part.byteSize(), part.before(part.endByte()), message);
        assertEquals(0, part.before(part.firstByte()), message);
    }

    @Test
    void a_dimension_that_is_not_there_is_refused_and_the_whole_is_whole() {
        TensorInfo tensor = tensor(DType.F32, Shape.of(4, 6));
        assertThrows(SliceException.class, () -> Part.of(tensor, 2, 0, 2));
        assertThrows(SliceException.class, () -> Part.of(tensor, -2, 0, 2));
        assertEquals(tensor.byteSize(), Part.of(tensor, -1, 1, 2).byteSize());
        assertThrows(SliceException.class, () -> Part.of(tensor(DType.U8, Shape.of()), 0, 0, 2));
        assertThrows(SliceException.class, () -> Part.of(tensor(DType.F4, Shape.of(2, 6)), 1, 0, 2));
    }
}
