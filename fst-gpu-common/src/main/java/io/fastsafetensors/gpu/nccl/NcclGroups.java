package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.Bootstrap;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.transport.TransportGroup;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Makes groups on one library. Thread-safe.
public final class NcclGroups {
    private static final String GROUP_DIR = "FST_GROUP_DIR";
    private static final String MASTER_ADDR = "MASTER_ADDR";
    private static final String MASTER_PORT = "MASTER_PORT";
    private static final int LAST_PORT = 65_535;
    /// NCCL's own switch for ranks that share a device.
    private static final String SHARED_DEVICES = "NCCL_MULTI_RANK_GPU_ENABLE";

    private final String transport;
    private final String deviceType;
    private final NcclStatus status;
    private final Function<Device, NcclDevice> open;

    /// @param transport the transport's name
    /// @param deviceType what it moves
    /// @param open opens a rank's device; fails with a reason if there is no such device
    public NcclGroups(String transport, String deviceType, Nccl nccl, Function<Device, NcclDevice> open) {
        this.transport = transport;
        this.deviceType = deviceType;
        this.status = new NcclStatus(transport, nccl);
        this.open = open;
    }

    /// Groups for the ranks of this JVM, one a device, each for the thread that drives the device.
    ///
    /// @param devices of the ranks, in their order; each once
    /// @return by rank; each rank closes its own
    /// @throws GroupException if they do not meet within the timeout, or a device cannot be used
    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        int size = devices.size();
        if (size == 0 || !timeout.isPositive()) {
            throw new IllegalArgumentException(size + " ranks with a timeout of " + timeout);
        }
        requireOwnDevices(devices);
        byte[] id = uniqueId();
        ThreadMeeting meeting = new ThreadMeeting(size);
        List<Callable<ProcessGroup>> joins = new ArrayList<>();
        for (int r = 0; r < size; r++) {
            Membership who = Membership.of(transport, r, size, timeout, deviceType);
            Device device = devices.get(r);
            joins.add(() -> joinLocally(who, device, id, meeting));
        }
        return together(joins);
    }

    private void requireOwnDevices(List<Device> devices) {
        for (int r = 0; r < devices.size(); r++) {
            int first = devices.indexOf(devices.get(r));
            if (first < r && !"1".equals(System.getenv(SHARED_DEVICES))) {
                throw new GroupException(
                        "ranks " + first + " and " + r + " have the same device, " + devices.get(r) + "; "
                                + transport + " needs one for each rank",
                        Where.nowhere());
            }
        }
    }

    private ProcessGroup joinLocally(Membership who, Device device, byte[] id, ThreadMeeting meeting) {
        GroupState state = new GroupState();
        try {
            return group(who, device, state, id, () -> watch(state, meeting::requireNoFailure),
                    (_, _) -> meeting.controlOf(who, state));
        } catch (RuntimeException e) {
            meeting.leave(who.rank(), "rank " + who.rank() + " failed: " + e.getMessage());
            throw e;
        }
    }

    /// Each rank on its own thread, since the library makes communicators of all at the same time.
    private static List<ProcessGroup> together(List<Callable<ProcessGroup>> joins) {
        List<ProcessGroup> groups = new ArrayList<>();
        GroupException failure = null;
        try (ExecutorService threads = Executors.newFixedThreadPool(joins.size())) {
            for (Future<ProcessGroup> join : threads.invokeAll(joins)) {
                try {
                    groups.add(join.get());
                } catch (ExecutionException e) {
                    failure = failure == null ? asGroupException(e.getCause()) : failure;
                }
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            failure = new GroupException("interrupted while the ranks met", Where.nowhere(), e);
        }
        if (failure != null) {
            closeAll(groups, failure);
            throw failure;
        }
        return List.copyOf(groups);
    }

    private static void closeAll(List<ProcessGroup> groups, GroupException failure) {
        for (ProcessGroup group : groups) {
            try {
                group.close();
            } catch (RuntimeException e) {
                failure.addSuppressed(e);
            }
        }
    }

    /// Joins a group of processes. They find each other by the bootstrap's properties: `FST_GROUP_DIR`, an empty directory that
    /// all share; else `NCCL_COMM_ID`, the address and port of rank 0, as the library documents it; else the same made of
    /// `MASTER_ADDR` and the port after `MASTER_PORT`, which launchers use themselves.
    ///
    /// @throws GroupException if they do not meet within the timeout, or the device cannot be used
    public ProcessGroup join(Bootstrap bootstrap) {
        Membership who = Membership.of(transport, bootstrap, deviceType);
        GroupState state = new GroupState();
        String folder = bootstrap.properties().get(GROUP_DIR);
        try {
            if (folder != null) {
                Board board = new Board(Path.of(folder), who, state);
                return group(who, bootstrap.device(), state, sharedId(board, who),
                        () -> watch(state, board::requireNoFailure), (_, _) -> board);
            }
            Supplier<ProcessGroup> joining = () -> group(who, bootstrap.device(), state, uniqueId(),
                    state::requireWhole, NcclControl::new);
            return who.size() == 1 ? joining.get()
                    : CommAddress.with(address(bootstrap.properties()), status.nccl(), joining);
        } catch (RuntimeException e) {
            throw asGroupException(e);
        }
    }

    /// Where rank 0 listens, in the library's form.
    private static String address(Map<String, String> properties) {
        String given = properties.get(CommAddress.VARIABLE);
        String host = properties.get(MASTER_ADDR);
        String port = properties.get(MASTER_PORT);
        if (given != null) {
            return given;
        }
        if (host == null || port == null || !port.matches("[0-9]{1,5}") || Integer.parseInt(port) >= LAST_PORT) {
            throw new GroupException("the ranks cannot find each other: set " + CommAddress.VARIABLE
                    + " to HOST:PORT of rank 0, or "
                    + MASTER_ADDR + " and " + MASTER_PORT + " as torchrun does, or " + GROUP_DIR
                    + " to an empty directory that all share" + (host == null ? "" : "; " + MASTER_ADDR + "=" + host)
                    + (port == null ? "" : ", " + MASTER_PORT + "=" + port), Where.nowhere());
        }
        return (host.indexOf(':') >= 0 && host.indexOf('[') < 0 ? "[" + host + "]" : host) + ":"
                + (Integer.parseInt(port) + 1);
    }

    private byte[] sharedId(Board board, Membership who) {
        BitSet everybody = new BitSet();
        everybody.set(0, who.size());
        return board.meet("joining the group", who.rank() == 0 ? uniqueId() : new byte[0], everybody).getFirst();
    }

    private byte[] uniqueId() {
        byte[] id = new byte[Nccl.NCCL_UNIQUE_ID_BYTES];
        try {
            status.check("ncclGetUniqueId", status.nccl().ncclGetUniqueId(id));
        } catch (RuntimeException e) {
            throw asGroupException(e);
        }
        return id;
    }

    private static void watch(GroupState state, Runnable others) {
        state.requireWhole();
        others.run();
    }

    private ProcessGroup group(Membership who, Device device, GroupState state, byte[] id, Runnable watch,
            BiFunction<Nccl, NcclComm, ControlPlane> control) {
        NcclDevice opened = open.apply(device);
        try {
            NcclComm comm = new NcclComm(status, opened, who, id, watch);
            return new TransportGroup(who, state, control.apply(status.nccl(), comm),
                    new NcclMover(status.nccl(), comm));
        } catch (RuntimeException e) {
            opened.close();
            throw e;
        }
    }

    private static GroupException asGroupException(@Nullable Throwable e) {
        return e instanceof GroupException failure ? failure
                : new GroupException(String.valueOf(e == null ? null : e.getMessage()), Where.nowhere(), e);
    }
}
