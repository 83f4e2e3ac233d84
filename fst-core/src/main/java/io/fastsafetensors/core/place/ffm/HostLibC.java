package io.fastsafetensors.core.place.ffm;

/// The C library's calls about memory and threads under their own names. −1 means that the call failed. Safe for use by
/// many threads.
public interface HostLibC {
    /// madvise(2), Linux 5.14: map the pages now, for reading.
    int MADV_POPULATE_READ = 22;

    /// madvise(2), Linux 6.1: put the range onto huge pages now, whatever it is on.
    int MADV_COLLAPSE = 25;

    /// madvise(2).
    int madvise(long address, long length, int advice);

    /// sched_setaffinity(2) of the calling thread.
    ///
    /// @param mask one bit a processor, 64 a word
    int sched_setaffinity(long... mask);
}
