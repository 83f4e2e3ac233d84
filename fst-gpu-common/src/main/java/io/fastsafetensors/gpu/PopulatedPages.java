package io.fastsafetensors.gpu;

import io.fastsafetensors.gpu.ffm.PageLibC;
import java.util.Optional;

/// Anonymous host memory whose pages are there, on huge pages where the kernel has them: a driver locks those in a
/// fifteenth of the time that it takes to allocate as much itself (144 MiB on an H200: 8 ms and 90 ms).
///
/// @param base what was mapped
/// @param length how much
/// @param address the first byte to use, at a multiple of [#HUGE_PAGE]
public record PopulatedPages(long base, long length, long address) {
    /// The size of a huge page on x86-64, and on ARM with pages of 4 KiB.
    public static final long HUGE_PAGE = 2L << 20;

    /// Maps and populates; empty where the kernel has not the memory, or no way to populate (Linux before 5.14).
    ///
    /// @param bytes a multiple of the page size
    public static Optional<PopulatedPages> map(PageLibC libc, long bytes) {
        long length = bytes + HUGE_PAGE;
        long base = libc.mmap(length, PageLibC.PROT_READ | PageLibC.PROT_WRITE,
                PageLibC.MAP_PRIVATE | PageLibC.MAP_ANONYMOUS);
        if (base == -1) {
            return Optional.empty();
        }
        PopulatedPages pages = new PopulatedPages(base, length, base + HUGE_PAGE - 1 & -HUGE_PAGE);
        // Refused where the kernel has no huge pages: then small ones serve.
        libc.madvise(pages.address, bytes, PageLibC.MADV_HUGEPAGE);
        if (libc.madvise(pages.address, bytes, PageLibC.MADV_POPULATE_WRITE) != 0) {
            pages.unmap(libc);
            return Optional.empty();
        }
        return Optional.of(pages);
    }

    /// Gives it back. What lies around the used part was never touched: it is address space and no memory.
    public void unmap(PageLibC libc) {
        if (libc.munmap(base, length) != 0) {
            throw new IllegalStateException("munmap of " + length + " bytes at " + base + " was refused");
        }
    }
}
