package io.fastsafetensors.backend.cpu;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.backend.cpu.HostMemory.Block;
import io.fastsafetensors.spi.ffm.MemoryLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.testkit.fixture.Seed;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

@EnabledOnOs(OS.LINUX)
@Tag("native")
class RecycledMemoryTest {
    private static final long MIB = 1 << 20;

    private final FakeLibC libc = new FakeLibC();
    private final RecycledMemory memory =
            new RecycledMemory(new MappedMemory(libc, SystemMemory.ofThisProcess()));

    @AfterEach
    void nothing_is_left() {
        memory.close();
        assertEquals(0, libc.mappedBytes(), "memory that nobody gave back");
    }

    private static void free(Block block) {
        block.arena().close();
        block.release().run();
    }

    @Test
    void what_was_given_back_is_used_again() {
        Block first = memory.take(28 * MIB, 64);
        long address = first.segment().address();
        free(first);
        Block second = memory.take(28 * MIB - 4096, 2 * MIB);
        assertEquals(address, second.segment().address());
        assertEquals(28 * MIB - 4096, second.segment().byteSize());
        free(second);
        assertEquals(28 * MIB, libc.mappedBytes(), "all of it, for the next");
    }

    @Test
    void a_former_owner_cannot_reach_it() {
        Block first = memory.take(4 * MIB, 64);
        MemorySegment segment = first.segment();
        free(first);
        Block second = memory.take(4 * MIB, 64);
        assertEquals(segment.address(), second.segment().address());
        assertThrows(IllegalStateException.class, () -> segment.get(ValueLayout.JAVA_BYTE, 0));
        free(second);
    }

    @Test
    void what_does_not_fit_is_taken_anew() {
        Block large = memory.take(32 * MIB, 64);
        long address = large.segment().address();
        free(large);
        Block small = memory.take(16 * MIB, 64);
        assertNotEquals(address, small.segment().address(), "half of it would lie idle");
        Block aligned = memory.take(32 * MIB, 1L << 30);
        assertEquals(0, aligned.segment().address() % (1L << 30));
        free(small);
        free(aligned);
    }

    @Test
    void small_and_huge_pieces_are_not_kept() {
        free(memory.take(MIB, 64));
        free(memory.take(RecycledMemory.MOST_KEPT + 1, 64));
        assertEquals(0, libc.mappedBytes());
    }

    @Test
    void what_was_given_back_first_goes_first() {
        Block first = memory.take(40 * MIB, 64);
        Block second = memory.take(30 * MIB, 64);
        free(first);
        free(second);
        assertEquals(30 * MIB, libc.mappedBytes());
    }

    @Test
    void after_the_end_nothing_is_kept() {
        Block taken = memory.take(8 * MIB, 64);
        free(memory.take(16 * MIB, 64));
        memory.close();
        assertEquals(8 * MIB, libc.mappedBytes());
        taken.segment().fill((byte) 1);
        free(taken);
        assertEquals(0, libc.mappedBytes());
    }

    @Test
    void a_refused_unmap_is_said_and_the_rest_is_given_back() {
        free(memory.take(8 * MIB, 64));
        free(memory.take(16 * MIB, 64));
        libc.munmapErrno = MemoryLibC.ENOMEM;
        BackendException e = assertThrows(BackendException.class, memory::close);
        assertEquals(1, e.getSuppressed().length);
        libc.munmapErrno = 0;
        libc.forget();
    }

    @Test
    void never_more_is_kept_than_said_and_pieces_never_overlap() {
        RandomGenerator random = Seed.random("recycled memory");
        List<Block> taken = new ArrayList<>();
        long inUse = 0;
        for (int step = 0; step < 300; step++) {
            if (taken.isEmpty() || random.nextInt(5) < 3 && taken.size() < 12) {
                long bytes = random.nextLong(MIB, 20 * MIB);
                Block block = memory.take(bytes, 1L << random.nextInt(22));
                assertEquals(bytes, block.segment().byteSize());
                for (Block other : taken) {
                    assertTrue(block.segment().asOverlappingSlice(other.segment()).isEmpty(), Seed::note);
                }
                taken.add(block);
                inUse += bytes;
            } else {
                Block block = taken.remove(random.nextInt(taken.size()));
                inUse -= block.segment().byteSize();
                free(block);
            }
            assertTrue(libc.mappedBytes() <= (inUse + 4096L * taken.size()) * 8 / 7 + RecycledMemory.MOST_KEPT,
                    Seed::note);
        }
        taken.forEach(RecycledMemoryTest::free);
    }
}
