package io.fastsafetensors.backend.cpu;

import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.EAGAIN;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.ENOMEM;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.MADV_HUGEPAGE;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.MAP_ANONYMOUS;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.MAP_PRIVATE;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.PROT_READ;
import static io.fastsafetensors.backend.cpu.ffm.MemoryLibC.PROT_WRITE;

import io.fastsafetensors.backend.cpu.ffm.MemoryLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.OutOfDeviceMemoryException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;

/// Anonymous mappings, on huge pages where a buffer is large enough. No page is touched here: the reader that fills the
/// memory does that, from many threads at once.
final class MappedMemory implements HostMemory {
    /// The size of a huge page on x86-64, and on ARM with pages of 4 KiB.
    static final long HUGE_PAGE = 2L << 20;

    private final MemoryLibC libc;
    private final SystemMemory memInfo;
    private final long page;

    MappedMemory(MemoryLibC libc, SystemMemory memInfo) {
        this.libc = libc;
        this.memInfo = memInfo;
        this.page = libc.getpagesize();
    }

    @Override
    @SuppressWarnings("MustBeClosed") // The taker of the block closes its arena.
    public Block take(long bytes, long alignment) {
        boolean huge = bytes >= HUGE_PAGE;
        long boundary = Math.max(huge ? HUGE_PAGE : page, alignment);
        // An empty buffer takes a page too, so that its address is its own.
        long needed = Math.max(bytes, 1);
        long slack = boundary - page;
        if (needed > Long.MAX_VALUE - slack - page) {
            throw outOfMemory(bytes);
        }
        long length = roundUp(needed, page);
        Mapping mapping = trim(map(bytes, length + slack), boundary, length);
        if (huge) {
            // Refused where the kernel has no huge pages: then small ones serve.
            libc.madvise(mapping.usable(boundary), length, MADV_HUGEPAGE);
        }
        Arena arena = Arena.ofShared();
        return new Block(RawMemory.view(mapping.usable(boundary), bytes, arena), arena, () -> unmap(mapping));
    }

    @Override
    public String description() {
        return "anonymous mappings, on huge pages from " + HUGE_PAGE + " bytes up";
    }

    private Mapping map(long bytes, long length) {
        long address = libc.mmap(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        if (address == -1) {
            int errno = libc.errno();
            throw errno == ENOMEM || errno == EAGAIN ? outOfMemory(bytes) : failed("mmap", errno);
        }
        return new Mapping(address, length);
    }

    /// Gives back what lies around the aligned part. What the kernel does not take stays in the mapping: it was never
    /// touched, so it is address space and no memory.
    private Mapping trim(Mapping mapping, long boundary, long length) {
        Mapping kept = mapping;
        long head = mapping.usable(boundary) - mapping.address;
        if (head > 0 && libc.munmap(kept.address, head) == 0) {
            kept = new Mapping(kept.address + head, kept.length - head);
        }
        long end = kept.usable(boundary) + length;
        long tail = kept.address + kept.length - end;
        if (tail > 0 && libc.munmap(end, tail) == 0) {
            kept = new Mapping(kept.address, kept.length - tail);
        }
        return kept;
    }

    private void unmap(Mapping mapping) {
        if (libc.munmap(mapping.address, mapping.length) != 0) {
            throw failed("munmap", libc.errno());
        }
    }

    private OutOfDeviceMemoryException outOfMemory(long bytes) {
        return new OutOfDeviceMemoryException(bytes, memInfo.read().free(), Where.backend(CpuBackend.NAME));
    }

    private static BackendException failed(String call, int errno) {
        return BackendException.ofStatus(CpuBackend.NAME, "libc", call, errno, "errno; host memory is in a bad state");
    }

    private static long roundUp(long value, long boundary) {
        return (value + boundary - 1) & -boundary;
    }

    private record Mapping(long address, long length) {
        long usable(long boundary) {
            return roundUp(address, boundary);
        }
    }
}
