package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.SystemMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// The JDK's own native memory: works everywhere, but is filled with zeros, counts against `-XX:MaxDirectMemorySize`
/// and lies on small pages.
final class JdkMemory implements HostMemory {
    private final String reason;
    private final SystemMemory memInfo;

    /// @param reason why not [MappedMemory]
    JdkMemory(String reason, SystemMemory memInfo) {
        this.reason = reason;
        this.memInfo = memInfo;
    }

    @Override
    @SuppressWarnings("MustBeClosed") // The taker of the block closes its arena.
    public Block take(long bytes, long alignment) {
        Arena arena = Arena.ofShared();
        try {
            MemorySegment memory = arena.allocate(Math.max(bytes, 1), alignment).asSlice(0, bytes);
            return new Block(memory, arena, () -> {
            });
        } catch (OutOfMemoryError | IllegalArgumentException e) {
            // IllegalArgumentException: size and alignment together do not fit a long.
            arena.close();
            OutOfDeviceMemoryException refused = new OutOfDeviceMemoryException(bytes, memInfo.read().free(),
                    Where.backend(CpuBackend.NAME));
            refused.addSuppressed(e);
            throw refused;
        }
    }

    @Override
    public String description() {
        return "the JDK's allocator, since " + reason;
    }
}
