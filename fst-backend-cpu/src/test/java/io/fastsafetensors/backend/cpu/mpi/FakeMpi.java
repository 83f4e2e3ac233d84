package io.fastsafetensors.backend.cpu.mpi;

import io.fastsafetensors.backend.cpu.mpi.ffm.Mpi;
import io.fastsafetensors.spi.ffm.RawMemory;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.function.BooleanSupplier;

/// One rank's library in a world of threads: messages really move, each call can be made to fail. What it does is
/// scripted by the public fields.
final class FakeMpi implements Mpi {
    /// The state that all ranks of one test share; also the lock of everything.
    static final class World {
        private final int size;
        private final Map<String, Queue<byte[]>> mail = new HashMap<>();
        private final Map<String, List<Integer>> arrivals = new HashMap<>();
        private final Map<String, byte[]> broadcasts = new HashMap<>();

        World(int size) {
            this.size = size;
        }
    }

    String version = "Open MPI v4.1.4, package: fake";
    int granted = MPI_THREAD_MULTIPLE;
    boolean initialized;
    boolean finalized;
    boolean hangs;
    private final World world;
    private final int rank;
    private final Map<String, Integer> calls = new HashMap<>();
    private final Map<Long, BooleanSupplier> requests = new HashMap<>();
    private final Map<String, Integer> rounds = new HashMap<>();
    private long lastRequest;
    private String failing = "";
    private int failingCall;
    private int failingStatus;

    FakeMpi(World world, int rank) {
        this.world = world;
        this.rank = rank;
    }

    /// The nth call from now of a function fails.
    void fail(String function, int nth, int status) {
        synchronized (world) {
            calls.clear();
            failing = function;
            failingCall = nth;
            failingStatus = status;
        }
    }

    /// How often a function was called since [#fail] or the start.
    int calls(String function) {
        synchronized (world) {
            return calls.getOrDefault(function, 0);
        }
    }

    private int call(String function, Runnable work) {
        synchronized (world) {
            if (calls.merge(function, 1, Integer::sum) == failingCall && function.equals(failing)) {
                return failingStatus;
            }
            work.run();
            return MPI_SUCCESS;
        }
    }

    private void request(long[] request, BooleanSupplier over) {
        request[0] = ++lastRequest;
        requests.put(lastRequest, over);
    }

    @Override
    public long MPI_COMM_WORLD() {
        return 1;
    }

    @Override
    public long MPI_ERRORS_RETURN() {
        return 2;
    }

    @Override
    public int MPI_Get_library_version(String[] text) {
        return call("MPI_Get_library_version", () -> text[0] = version);
    }

    @Override
    public int MPI_Initialized(int[] flag) {
        return call("MPI_Initialized", () -> flag[0] = initialized ? 1 : 0);
    }

    @Override
    public int MPI_Finalized(int[] flag) {
        return call("MPI_Finalized", () -> flag[0] = finalized ? 1 : 0);
    }

    @Override
    public int MPI_Init_thread(int required, int[] provided) {
        while (hangs) {
            Thread.onSpinWait();
        }
        return call("MPI_Init_thread", () -> {
            initialized = true;
            provided[0] = Math.min(required, granted);
        });
    }

    @Override
    public int MPI_Query_thread(int[] provided) {
        return call("MPI_Query_thread", () -> provided[0] = granted);
    }

    @Override
    public int MPI_Finalize() {
        return call("MPI_Finalize", () -> finalized = true);
    }

    @Override
    public int MPI_Error_string(int status, String[] text) {
        text[0] = "MPI_ERR_" + status + ": scripted";
        return status < 0 ? 1 : MPI_SUCCESS;
    }

    @Override
    public int MPI_Comm_rank(long comm, int[] value) {
        return call("MPI_Comm_rank", () -> value[0] = rank);
    }

    @Override
    public int MPI_Comm_size(long comm, int[] value) {
        return call("MPI_Comm_size", () -> value[0] = world.size);
    }

    @Override
    public int MPI_Comm_set_errhandler(long comm, long handler) {
        return call("MPI_Comm_set_errhandler", () -> {
        });
    }

    @Override
    public int MPI_Comm_idup(long comm, MemorySegment created, long[] request) {
        return call("MPI_Comm_idup", () -> {
            String round = round("idup", comm);
            List<Integer> here = world.arrivals.computeIfAbsent(round, _ -> new ArrayList<>());
            here.add(rank);
            request(request, () -> {
                created.set(ValueLayout.JAVA_LONG, 0, 100 + round.hashCode() % 50);
                return here.size() == world.size;
            });
        });
    }

    private String round(String what, long comm) {
        return what + " " + comm + " " + rounds.merge(what + comm, 1, Integer::sum);
    }

    @Override
    public int MPI_Isend(long address, int bytes, int to, int tag, long comm, long[] request) {
        return call("MPI_Isend", () -> {
            world.mail.computeIfAbsent(box(rank, to, tag, comm), _ -> new ArrayDeque<>()).add(copy(address, bytes));
            request(request, () -> true);
        });
    }

    @Override
    public int MPI_Irecv(long address, int bytes, int from, int tag, long comm, long[] request) {
        return call("MPI_Irecv", () -> {
            Queue<byte[]> box = world.mail.computeIfAbsent(box(from, rank, tag, comm), _ -> new ArrayDeque<>());
            request(request, () -> !box.isEmpty() && store(box.remove(), address, bytes));
        });
    }

    private static String box(int from, int to, int tag, long comm) {
        return from + ">" + to + " " + tag + " " + comm;
    }

    @Override
    public int MPI_Ibcast(long address, int bytes, int root, long comm, long[] request) {
        return call("MPI_Ibcast", () -> {
            String round = round("bcast", comm);
            if (rank == root) {
                world.broadcasts.put(round, copy(address, bytes));
            }
            request(request, () -> rank == root || (world.broadcasts.containsKey(round)
                    && store(world.broadcasts.get(round), address, bytes)));
        });
    }

    private static byte[] copy(long address, int bytes) {
        return RawMemory.view(address, bytes, Arena.global()).toArray(ValueLayout.JAVA_BYTE);
    }

    private static boolean store(byte[] message, long address, int bytes) {
        if (message.length > bytes) {
            throw new AssertionError(message.length + " bytes into " + bytes);
        }
        MemorySegment.copy(message, 0, RawMemory.view(address, bytes, Arena.global()), ValueLayout.JAVA_BYTE, 0,
                message.length);
        return true;
    }

    @Override
    public int MPI_Test(long[] request, int[] flag) {
        return call("MPI_Test", () -> {
            BooleanSupplier over = requests.getOrDefault(request[0], () -> true);
            if (over.getAsBoolean()) {
                requests.remove(request[0]);
                request[0] = 0;
                flag[0] = 1;
            }
        });
    }

    @Override
    public int MPI_Cancel(long[] request) {
        return call("MPI_Cancel", () -> requests.put(request[0], () -> true));
    }
}
