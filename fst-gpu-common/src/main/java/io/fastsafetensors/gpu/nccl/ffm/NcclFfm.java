package io.fastsafetensors.gpu.nccl.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.RawMemory;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.StructLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/// [Nccl] on a library of that kind; 64-bit Linux only. Handles are fields, since one process may have NCCL and RCCL; a
/// call is cheap beside what it starts.
public final class NcclFfm implements Nccl {
    /// `ncclInt8`.
    private static final long BYTES = 0;
    private static final int LONGEST_TEXT = 4096;

    // typedef struct { char internal[128]; } ncclUniqueId
    private static final StructLayout UNIQUE_ID =
            MemoryLayout.structLayout(MemoryLayout.sequenceLayout(NCCL_UNIQUE_ID_BYTES, JAVA_BYTE));

    /// `sizeof(ncclConfig_t)` of 2.18. A newer library reads as many members as the version below has, and takes its own
    /// values for what was added since.
    private static final long CONFIG_BYTES = 48;
    private static final int CONFIG_MAGIC = 0xcafebeef;
    private static final int CONFIG_VERSION = 21_800;
    private static final int UNDEFINED = Integer.MIN_VALUE;
    /// Where the int members lie that stay undefined: cgaClusterSize, minCTAs, maxCTAs, splitShare.
    private static final long[] UNDEFINED_AT = {20, 24, 28, 40};
    private static final long BLOCKING_AT = 16;

    private final NativeLibrary library;
    // ncclResult_t ncclGetVersion(int *version)
    private final WordFunction getVersion;
    // const char *ncclGetErrorString(ncclResult_t result)
    private final WordFunction getErrorString;
    // const char *ncclGetLastError(ncclComm_t comm)
    private final WordFunction getLastError;
    // ncclResult_t ncclGetUniqueId(ncclUniqueId *uniqueId)
    private final WordFunction getUniqueId;
    // ncclResult_t ncclCommInitRankConfig(ncclComm_t *comm, int nranks, ncclUniqueId commId, int rank, ncclConfig_t *config)
    private final MethodHandle commInitRankConfig;
    // ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t *asyncError)
    private final WordFunction commGetAsyncError;
    // ncclResult_t ncclCommFinalize(ncclComm_t comm)
    private final WordFunction commFinalize;
    // ncclResult_t ncclCommDestroy(ncclComm_t comm)
    private final WordFunction commDestroy;
    // ncclResult_t ncclCommAbort(ncclComm_t comm)
    private final WordFunction commAbort;
    // ncclResult_t ncclBroadcast(const void *sendbuff, void *recvbuff, size_t count, ncclDataType_t datatype, int root,
    // ncclComm_t comm, cudaStream_t stream)
    private final MethodHandle broadcast;
    // ncclResult_t ncclAllGather(const void *sendbuff, void *recvbuff, size_t sendcount, ncclDataType_t datatype,
    // ncclComm_t comm, cudaStream_t stream)
    private final WordFunction allGather;
    // ncclResult_t ncclSend(const void *sendbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
    // cudaStream_t stream)
    private final WordFunction send;
    // ncclResult_t ncclRecv(void *recvbuff, size_t count, ncclDataType_t datatype, int peer, ncclComm_t comm,
    // cudaStream_t stream)
    private final WordFunction recv;
    // ncclResult_t ncclGroupStart(void)
    private final WordFunction groupStart;
    // int setenv(const char *name, const char *value, int overwrite)
    private final WordFunction setenv;
    // int unsetenv(const char *name)
    private final WordFunction unsetenv;
    // ncclResult_t ncclGroupEnd(void)
    private final WordFunction groupEnd;

    /// Opens and binds.
    ///
    /// @param names file names, best first
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if there is no such library, or a function is missing
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if native access is denied
    public NcclFfm(String... names) {
        library = NativeLibrary.open(names);
        getVersion = library.words("ncclGetVersion");
        getErrorString = library.words("ncclGetErrorString");
        getLastError = library.words("ncclGetLastError");
        getUniqueId = library.words("ncclGetUniqueId");
        commInitRankConfig = library.bind("ncclCommInitRankConfig",
                FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, UNIQUE_ID, JAVA_INT, ADDRESS));
        commGetAsyncError = library.words("ncclCommGetAsyncError");
        commFinalize = library.words("ncclCommFinalize");
        commDestroy = library.words("ncclCommDestroy");
        commAbort = library.words("ncclCommAbort");
        broadcast = library.bind("ncclBroadcast", FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_LONG, JAVA_LONG,
                JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG));
        allGather = library.words("ncclAllGather");
        send = library.words("ncclSend");
        recv = library.words("ncclRecv");
        groupStart = library.words("ncclGroupStart");
        groupEnd = library.words("ncclGroupEnd");
        NativeLibrary c = NativeLibrary.open("libc.so.6");
        setenv = c.words("setenv");
        unsetenv = c.words("unsetenv");
    }

    @Override
    public String library() {
        return library.name();
    }

    @Override
    public int ncclGetVersion(int[] version) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT);
            int status = (int) getVersion.call(out.address());
            version[0] = out.get(JAVA_INT, 0);
            return status;
        }
    }

    @Override
    public String ncclGetErrorString(int result) {
        return text(getErrorString.call(result));
    }

    @Override
    public String ncclGetLastError(long comm) {
        return text(getLastError.call(comm));
    }

    /// A string of the library's own.
    private static String text(long address) {
        return address == 0 ? "" : RawMemory.view(address, LONGEST_TEXT, Arena.global()).getString(0);
    }

    @Override
    public int ncclGetUniqueId(byte[] id) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(UNIQUE_ID);
            int status = (int) getUniqueId.call(out.address());
            MemorySegment.copy(out, JAVA_BYTE, 0, id, 0, NCCL_UNIQUE_ID_BYTES);
            return status;
        }
    }

    @Override
    public int ncclCommInitRankConfig(MemorySegment comm, int ranks, byte[] id, int rank, int blocking) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment byValue = arena.allocate(UNIQUE_ID);
            MemorySegment.copy(id, 0, byValue, JAVA_BYTE, 0, NCCL_UNIQUE_ID_BYTES);
            return (int) commInitRankConfig.invokeExact(comm, ranks, byValue, rank, config(arena, blocking));
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    /// `ncclConfig_t` of 2.18: size_t size; unsigned magic, version; int blocking, cgaClusterSize, minCTAs, maxCTAs;
    /// const char *netName; int splitShare.
    private static MemorySegment config(Arena arena, int blocking) {
        MemorySegment config = arena.allocate(CONFIG_BYTES, Long.BYTES);
        config.set(JAVA_LONG, 0, CONFIG_BYTES);
        config.set(JAVA_INT, 8, CONFIG_MAGIC);
        config.set(JAVA_INT, 12, CONFIG_VERSION);
        config.set(JAVA_INT, BLOCKING_AT, blocking);
        for (long at : UNDEFINED_AT) {
            config.set(JAVA_INT, at, UNDEFINED);
        }
        return config;
    }

    @Override
    public int ncclCommGetAsyncError(long comm, int[] error) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT);
            int status = (int) commGetAsyncError.call(comm, out.address());
            error[0] = out.get(JAVA_INT, 0);
            return status;
        }
    }

    @Override
    public int ncclCommFinalize(long comm) {
        return (int) commFinalize.call(comm);
    }

    @Override
    public int ncclCommDestroy(long comm) {
        return (int) commDestroy.call(comm);
    }

    @Override
    public int ncclCommAbort(long comm) {
        return (int) commAbort.call(comm);
    }

    @Override
    public int ncclBroadcast(long from, long to, long bytes, int root, long comm, long stream) {
        try {
            return (int) broadcast.invokeExact(from, to, bytes, (int) BYTES, root, comm, stream);
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    @Override
    public int ncclAllGather(long from, long to, long bytes, long comm, long stream) {
        return (int) allGather.call(from, to, bytes, BYTES, comm, stream);
    }

    @Override
    public int ncclSend(long from, long bytes, int peer, long comm, long stream) {
        return (int) send.call(from, bytes, BYTES, peer, comm, stream);
    }

    @Override
    public int ncclRecv(long to, long bytes, int peer, long comm, long stream) {
        return (int) recv.call(to, bytes, BYTES, peer, comm, stream);
    }

    @Override
    public int ncclGroupStart() {
        return (int) groupStart.call();
    }

    @Override
    public int ncclGroupEnd() {
        return (int) groupEnd.call();
    }

    @Override
    public void setenv(String name, @Nullable String value) {
        try (Arena arena = Arena.ofConfined()) {
            long variable = arena.allocateFrom(name).address();
            if (value == null) {
                unsetenv.call(variable);
            } else {
                setenv.call(variable, arena.allocateFrom(value).address(), 1);
            }
        }
    }
}
