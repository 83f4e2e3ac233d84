package io.fastsafetensors.backend.cpu.ffm;

/// The C library's memory calls under their own names. −1 means that the call failed and [#errno()] says why. Safe for
/// use by many threads. Addresses and sizes are in bytes.
public interface MemoryLibC {
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
    /// The errno of a lack of memory.
    int ENOMEM = 12;
    /// The errno of too much locked memory.
    int EAGAIN = 11;

    /// mmap(2) at an address of the kernel's choice.
    ///
    /// @return the address, a multiple of [#getpagesize()], or −1
    long mmap(long length, int prot, int flags);

    /// munmap(2).
    int munmap(long address, long length);

    /// madvise(2).
    int madvise(long address, long length, int advice);

    /// getpagesize(2); never fails.
    int getpagesize();

    /// This thread's errno after a call that returned −1.
    int errno();
}
