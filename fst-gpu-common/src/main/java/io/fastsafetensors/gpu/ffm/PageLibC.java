package io.fastsafetensors.gpu.ffm;

/// The C library's calls for anonymous memory under their own names. −1 means that the call failed. Safe for use by many
/// threads. Addresses and sizes are in bytes.
public interface PageLibC {
    /// Pages may be read.
    int PROT_READ = 1;
    /// Pages may be written.
    int PROT_WRITE = 2;
    /// Not shared with other processes.
    int MAP_PRIVATE = 2;
    /// No file behind it.
    int MAP_ANONYMOUS = 0x20;
    /// Huge pages, please.
    int MADV_HUGEPAGE = 14;
    /// Give the pages now, to be written.
    int MADV_POPULATE_WRITE = 23;

    /// mmap(2) at an address of the kernel's choice, of no file.
    ///
    /// @return the address, or −1
    long mmap(long length, int prot, int flags);

    /// munmap(2).
    int munmap(long address, long length);

    /// madvise(2).
    int madvise(long address, long length, int advice);
}
