package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.backend.cpu.ffm.MemoryLibC;
import io.fastsafetensors.backend.cpu.ffm.MemoryLibCFfm;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/// The real calls, with an account of what is mapped and errors on demand.
final class FakeLibC implements MemoryLibC {
    /// The next mmap fails with this errno, unless 0.
    int mmapErrno;
    int munmapErrno;
    int madviseErrno;
    final List<Long> advised = new ArrayList<>();
    private final MemoryLibC real = new MemoryLibCFfm();
    /// Address → length of what is mapped.
    private final TreeMap<Long, Long> mapped = new TreeMap<>();
    private int errno;

    long mappedBytes() {
        return mapped.values().stream().mapToLong(Long::longValue).sum();
    }

    /// Unmaps what a test has made leak.
    void forget() {
        mapped.forEach(real::munmap);
        mapped.clear();
    }

    @Override
    public long mmap(long length, int prot, int flags) {
        if (mmapErrno != 0) {
            errno = mmapErrno;
            return -1;
        }
        long address = real.mmap(length, prot, flags);
        if (address == -1) {
            errno = real.errno();
        } else {
            mapped.put(address, length);
        }
        return address;
    }

    @Override
    public int munmap(long address, long length) {
        if (munmapErrno != 0) {
            errno = munmapErrno;
            return -1;
        }
        Map.Entry<Long, Long> around = mapped.floorEntry(address);
        long start = around.getKey();
        long end = start + around.getValue();
        if (address + length > end) {
            throw new AssertionError("unmaps what is not mapped");
        }
        mapped.remove(start);
        if (start < address) {
            mapped.put(start, address - start);
        }
        if (address + length < end) {
            mapped.put(address + length, end - address - length);
        }
        return real.munmap(address, length);
    }

    @Override
    public int madvise(long address, long length, int advice) {
        advised.add(address);
        if (madviseErrno != 0) {
            errno = madviseErrno;
            return -1;
        }
        return real.madvise(address, length, advice);
    }

    @Override
    public int getpagesize() {
        return real.getpagesize();
    }

    @Override
    public int errno() {
        return errno;
    }
}
