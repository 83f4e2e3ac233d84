package io.fastsafetensors.backend.cpu.mpi.ffm;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.fastsafetensors.spi.ffm.NativeLibrary;
import io.fastsafetensors.spi.ffm.WordFunction;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.util.function.LongUnaryOperator;
import java.util.function.ToIntFunction;

/// [Mpi] on Open MPI 4 or 5, whose predefined objects are data symbols; 64-bit Linux only.
public final class MpiFfm implements Mpi {
    /// Open MPI's file names, best first; 4 and 5 share the first.
    private static final NativeLibrary LIBRARY = NativeLibrary.open("libmpi.so.40", "libmpi.so");
    private static final long COMM_WORLD = LIBRARY.symbol("ompi_mpi_comm_world").address();
    private static final long BYTE = LIBRARY.symbol("ompi_mpi_byte").address();
    private static final long ERRORS_RETURN = LIBRARY.symbol("ompi_mpi_errors_return").address();
    private static final long STATUS_IGNORE = 0;
    /// More than `MPI_MAX_LIBRARY_VERSION_STRING` and `MPI_MAX_ERROR_STRING` of either release.
    private static final int LONGEST_TEXT = 4096;

    // int MPI_Get_library_version(char *version, int *resultlen)
    private static final WordFunction GET_LIBRARY_VERSION = LIBRARY.words("MPI_Get_library_version");
    // int MPI_Initialized(int *flag)
    private static final WordFunction INITIALIZED = LIBRARY.words("MPI_Initialized");
    // int MPI_Finalized(int *flag)
    private static final WordFunction FINALIZED = LIBRARY.words("MPI_Finalized");
    // int MPI_Init_thread(int *argc, char ***argv, int required, int *provided)
    private static final WordFunction INIT_THREAD = LIBRARY.words("MPI_Init_thread");
    // int MPI_Query_thread(int *provided)
    private static final WordFunction QUERY_THREAD = LIBRARY.words("MPI_Query_thread");
    // int MPI_Finalize(void)
    private static final WordFunction FINALIZE = LIBRARY.words("MPI_Finalize");
    // int MPI_Error_string(int errorcode, char *string, int *resultlen)
    private static final WordFunction ERROR_STRING = LIBRARY.words("MPI_Error_string");
    // int MPI_Comm_rank(MPI_Comm comm, int *rank)
    private static final WordFunction COMM_RANK = LIBRARY.words("MPI_Comm_rank");
    // int MPI_Comm_size(MPI_Comm comm, int *size)
    private static final WordFunction COMM_SIZE = LIBRARY.words("MPI_Comm_size");
    // int MPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler)
    private static final WordFunction COMM_SET_ERRHANDLER = LIBRARY.words("MPI_Comm_set_errhandler");
    // int MPI_Comm_idup(MPI_Comm comm, MPI_Comm *newcomm, MPI_Request *request)
    private static final WordFunction COMM_IDUP = LIBRARY.words("MPI_Comm_idup");
    // int MPI_Isend(const void *buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm, MPI_Request *request)
    private static final MethodHandle ISEND = message("MPI_Isend");
    // int MPI_Irecv(void *buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm, MPI_Request *request)
    private static final MethodHandle IRECV = message("MPI_Irecv");
    // int MPI_Ibcast(void *buffer, int count, MPI_Datatype type, int root, MPI_Comm comm, MPI_Request *request)
    private static final WordFunction IBCAST = LIBRARY.words("MPI_Ibcast");
    // int MPI_Test(MPI_Request *request, int *flag, MPI_Status *status)
    private static final WordFunction TEST = LIBRARY.words("MPI_Test");
    // int MPI_Cancel(MPI_Request *request)
    private static final WordFunction CANCEL = LIBRARY.words("MPI_Cancel");

    /// A request and a flag of the calling thread, for calls that give back either.
    private static final ThreadLocal<MemorySegment> SCRATCH =
            ThreadLocal.withInitial(() -> Arena.ofAuto().allocate(2 * JAVA_LONG.byteSize(), JAVA_LONG.byteAlignment()));

    /// Binds on first use; the class's initialiser fails where the library is missing or another one than Open MPI.
    public MpiFfm() {
    }

    private static MethodHandle message(String function) {
        return LIBRARY.bind(function,
                FunctionDescriptor.of(JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_LONG, JAVA_INT, JAVA_INT,
                        JAVA_LONG, ADDRESS));
    }

    @Override
    public long MPI_COMM_WORLD() {
        return COMM_WORLD;
    }

    @Override
    public long MPI_ERRORS_RETURN() {
        return ERRORS_RETURN;
    }

    @Override
    public int MPI_Get_library_version(String[] version) {
        return text(version, (out, length) -> GET_LIBRARY_VERSION.call(out, length));
    }

    @Override
    public int MPI_Initialized(int[] flag) {
        return number(flag, INITIALIZED::call);
    }

    @Override
    public int MPI_Finalized(int[] flag) {
        return number(flag, FINALIZED::call);
    }

    @Override
    public int MPI_Init_thread(int required, int[] provided) {
        return number(provided, out -> INIT_THREAD.call(0, 0, required, out));
    }

    @Override
    public int MPI_Query_thread(int[] provided) {
        return number(provided, QUERY_THREAD::call);
    }

    @Override
    public int MPI_Finalize() {
        return (int) FINALIZE.call();
    }

    @Override
    public int MPI_Error_string(int status, String[] text) {
        return text(text, (out, length) -> ERROR_STRING.call(status, out, length));
    }

    @Override
    public int MPI_Comm_rank(long comm, int[] rank) {
        return number(rank, out -> COMM_RANK.call(comm, out));
    }

    @Override
    public int MPI_Comm_size(long comm, int[] size) {
        return number(size, out -> COMM_SIZE.call(comm, out));
    }

    @Override
    public int MPI_Comm_set_errhandler(long comm, long handler) {
        return (int) COMM_SET_ERRHANDLER.call(comm, handler);
    }

    @Override
    public int MPI_Comm_idup(long comm, MemorySegment created, long[] request) {
        return handle(request, cell -> (int) COMM_IDUP.call(comm, created.address(), cell.address()));
    }

    @Override
    public int MPI_Isend(long address, int bytes, int to, int tag, long comm, long[] request) {
        return handle(request, cell -> message(ISEND, address, bytes, to, tag, comm, cell));
    }

    @Override
    public int MPI_Irecv(long address, int bytes, int from, int tag, long comm, long[] request) {
        return handle(request, cell -> message(IRECV, address, bytes, from, tag, comm, cell));
    }

    private static int message(MethodHandle function, long address, int bytes, int peer, int tag, long comm,
            MemorySegment request) {
        try {
            return (int) function.invokeExact(address, bytes, BYTE, peer, tag, comm, request);
        } catch (Throwable t) {
            throw new AssertionError(t);
        }
    }

    @Override
    public int MPI_Ibcast(long address, int bytes, int root, long comm, long[] request) {
        return handle(request, cell -> (int) IBCAST.call(address, bytes, BYTE, root, comm, cell.address()));
    }

    @Override
    public int MPI_Test(long[] request, int[] flag) {
        return handle(request, cell -> {
            int status = (int) TEST.call(cell.address(), cell.address() + JAVA_LONG.byteSize(), STATUS_IGNORE);
            flag[0] = cell.get(JAVA_INT, JAVA_LONG.byteSize());
            return status;
        });
    }

    @Override
    public int MPI_Cancel(long[] request) {
        return handle(request, cell -> (int) CANCEL.call(cell.address()));
    }

    /// Calls with the address of a handle, which may change it.
    private static int handle(long[] value, ToIntFunction<MemorySegment> function) {
        MemorySegment cell = SCRATCH.get();
        cell.set(JAVA_LONG, 0, value[0]);
        int status = function.applyAsInt(cell);
        value[0] = cell.get(JAVA_LONG, 0);
        return status;
    }

    private static int number(int[] value, LongUnaryOperator function) {
        MemorySegment cell = SCRATCH.get();
        cell.set(JAVA_INT, 0, 0);
        int status = (int) function.applyAsLong(cell.address());
        value[0] = cell.get(JAVA_INT, 0);
        return status;
    }

    private interface TextFunction {
        long call(long out, long length);
    }

    private static int text(String[] value, TextFunction function) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LONGEST_TEXT);
            int status = (int) function.call(out.address(), SCRATCH.get().address());
            value[0] = out.getString(0);
            return status;
        }
    }
}
