package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/// Messages of ranks that will not come any more: one receive a rank lies ready from the start.
final class Farewells {
    private static final int TAG = 3;
    private static final int LONGEST = 240;

    private final MpiLink link;
    private final Map<Integer, MpiRequest> expected = new HashMap<>();

    Farewells(MpiLink link) {
        this.link = link;
        for (int r = 0; r < link.membership().size(); r++) {
            if (r != link.membership().rank()) {
                expected.put(r, link.receive(MpiLink.memory(LONGEST), r, TAG));
            }
        }
    }

    /// That a request can still end. A rank that just leaves has done its part of what it did before, whose messages came
    /// before its farewell; one that failed will not do its part of anything.
    ///
    /// @throws GroupException if a rank has failed, or the request's peer has left before
    void requireComing(MpiRequest awaited) {
        expected.forEach((rank, request) -> {
            if (request.hasEnded()) {
                String reason = request.received().getString(0);
                if (!reason.isEmpty() || (awaited.peer() == rank && !awaited.hasEnded())) {
                    throw new GroupException(reason.isEmpty() ? "rank " + rank + " left the group" : reason,
                            Where.nowhere());
                }
            }
        });
    }

    /// @param reason empty if nothing failed
    void say(String reason) {
        byte[] text = Arrays.copyOf(reason.getBytes(StandardCharsets.UTF_8), LONGEST - 1);
        MemorySegment memory = MpiLink.memory(LONGEST);
        MemorySegment.copy(text, 0, memory, ValueLayout.JAVA_BYTE, 0, text.length);
        expected.keySet().forEach(rank -> link.sendOurs(memory, rank, TAG));
    }
}
