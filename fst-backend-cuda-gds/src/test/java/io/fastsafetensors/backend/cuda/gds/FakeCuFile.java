package io.fastsafetensors.backend.cuda.gds;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/// cuFile for devices whose memory is host memory: reads for real, counts what is open, fails as told, and writes down
/// what no caller may do.
final class FakeCuFile implements CuFile {
    private static final int EIO = 5;
    private static final int PERMITS = 1_000_000;

    private final FakeContext context;
    private final Map<Long, FileChannel> handles = new ConcurrentHashMap<>();
    private final Map<Long, Long> buffers = new ConcurrentHashMap<>();
    private final Map<String, AtomicInteger> calls = new ConcurrentHashMap<>();
    private final Map<String, CuFileError> failures = new ConcurrentHashMap<>();
    private final List<String> violations = new CopyOnWriteArrayList<>();
    private final AtomicLong nextHandle = new AtomicLong(0x1000);
    private final Semaphore gate = new Semaphore(PERMITS);
    private final ThreadLocal<Integer> errno = ThreadLocal.withInitial(() -> 0);
    private final List<Long> script = new ArrayList<>();
    private CuFileDrvProps properties = new CuFileDrvProps(0, 0, 0);
    private volatile long mostBytes = Long.MAX_VALUE;
    private volatile int failAfter = Integer.MAX_VALUE;

    FakeCuFile(FakeContext context) {
        this.context = context;
    }

    // What a test says.

    void properties(int major, int minor, int statusFlags) {
        properties = new CuFileDrvProps(major, minor, statusFlags);
    }

    /// Every call of this function fails; a release releases nevertheless.
    void fail(String call, int err, int cuErr) {
        failures.put(call, new CuFileError(err, cuErr));
    }

    /// No read gives more than this.
    void shortReads(long most) {
        mostBytes = most;
    }

    /// The next reads return these instead of reading; below −100000 stands for −1 with an errno of the rest.
    synchronized void script(long... results) {
        for (long result : results) {
            script.add(result);
        }
    }

    static long errnoOf(int errno) {
        return -100_000 - errno;
    }

    /// Reads fail with EIO after so many more.
    void failAfter(int reads) {
        failAfter = calls("cuFileRead") + reads;
    }

    /// Reads wait inside the library.
    void hold() {
        gate.drainPermits();
    }

    /// They go on.
    void letGo() {
        gate.release(PERMITS);
    }

    // What a test asks.

    int calls(String call) {
        return calls.computeIfAbsent(call, c -> new AtomicInteger()).get();
    }

    int openHandles() {
        return handles.size();
    }

    boolean isRegistered(long address) {
        return buffers.containsKey(address);
    }

    int registeredBuffers() {
        return buffers.size();
    }

    List<String> violations() {
        return violations;
    }

    // The library.

    private CuFileError enter(String call) {
        calls.computeIfAbsent(call, c -> new AtomicInteger()).incrementAndGet();
        if (!context.isCurrent()) {
            violations.add(call + " without a context");
        }
        return failures.getOrDefault(call, CuFileError.SUCCESS);
    }

    @Override
    public CuFileError cuFileDriverOpen() {
        return enter("cuFileDriverOpen");
    }

    @Override
    public CuFileError cuFileDriverGetProperties(MemorySegment props) {
        // CUfileDrvProps_t: nvfs.major_version, nvfs.minor_version, nvfs.dstatusflags
        props.set(JAVA_INT, 0, properties.major_version());
        props.set(JAVA_INT, 4, properties.minor_version());
        props.set(JAVA_INT, 24, properties.dstatusflags());
        return enter("cuFileDriverGetProperties");
    }

    @Override
    public CuFileError cuFileGetVersion(MemorySegment version) {
        CuFileError failure = failures.getOrDefault("cuFileGetVersion", CuFileError.SUCCESS);
        if (failure.err() == Integer.MAX_VALUE) {
            throw new UnsupportedFeatureException("no function cuFileGetVersion", Where.nowhere());
        }
        version.set(JAVA_INT, 0, 1150);
        return failure;
    }

    @Override
    public CuFileError cuFileHandleRegister(MemorySegment fh, MemorySegment descr) {
        CuFileError failure = enter("cuFileHandleRegister");
        if (failure.err() == 0) {
            try {
                long handle = nextHandle.getAndIncrement();
                handles.put(handle, FileChannel.open(Path.of("/proc/self/fd/" + descr.get(JAVA_INT, 8))));
                fh.set(JAVA_LONG, 0, handle);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return failure;
    }

    @Override
    public void cuFileHandleDeregister(long fh) {
        enter("cuFileHandleDeregister");
        try (FileChannel channel = handles.remove(fh)) {
            if (channel == null) {
                violations.add("no handle " + fh);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public CuFileError cuFileBufRegister(long bufPtr_base, long length, int flags) {
        CuFileError failure = enter("cuFileBufRegister");
        if (failure.err() == 0 && buffers.putIfAbsent(bufPtr_base, length) != null) {
            violations.add("registered twice");
        }
        return failure;
    }

    @Override
    public CuFileError cuFileBufDeregister(long bufPtr_base) {
        CuFileError failure = enter("cuFileBufDeregister");
        if (buffers.remove(bufPtr_base) == null) {
            violations.add("deregistered without being registered");
        }
        return failure;
    }

    @Override
    public long cuFileRead(long fh, long bufPtr_base, long size, long file_offset, long bufPtr_offset) {
        enter("cuFileRead");
        gate.acquireUninterruptibly();
        try {
            return read(fh, bufPtr_base, size, file_offset, bufPtr_offset);
        } finally {
            gate.release();
        }
    }

    private long read(long fh, long base, long size, long fileOffset, long offset) {
        FileChannel channel = handles.get(fh);
        Long registered = buffers.get(base);
        if (channel == null || (registered != null && offset + size > registered)) {
            violations.add("read of handle " + fh + " beyond what is registered");
            return -CuFileStatus.INVALID_MAPPING_RANGE.code();
        }
        if (calls("cuFileRead") > failAfter) {
            errno.set(EIO);
            return -1;
        }
        synchronized (this) {
            if (!script.isEmpty()) {
                long result = script.removeFirst();
                errno.set(result <= -100_000 ? (int) (-100_000 - result) : 0);
                return result <= -100_000 ? -1 : result;
            }
        }
        try (Arena arena = Arena.ofConfined()) {
            long bytes = Math.min(size, mostBytes);
            return Math.max(0, channel.read(RawMemory.view(base + offset, bytes, arena).asByteBuffer(), fileOffset));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public int errno() {
        return errno.get();
    }
}
