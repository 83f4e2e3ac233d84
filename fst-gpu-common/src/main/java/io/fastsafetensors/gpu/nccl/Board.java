package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.transport.ControlPlane;
import io.fastsafetensors.group.transport.GroupState;
import io.fastsafetensors.group.transport.Membership;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// A directory that all ranks share, where each puts its messages: `ROUND.RANK`, whole from the start. A directory serves
/// one group once; what was not taken away stays for its owner to delete.
final class Board implements ControlPlane {
    private static final long LONGEST_PAUSE = TimeUnit.MILLISECONDS.toNanos(20);
    private static final int SHARE = 20;
    private static final byte[] NOTHING = {};

    private final Path folder;
    private final Membership membership;
    private final GroupState state;
    private long round;

    Board(Path folder, Membership membership, GroupState state) {
        this.folder = folder;
        this.membership = membership;
        this.state = state;
    }

    /// File systems that are shared are slow.
    @Override
    public boolean meetsBeforeData() {
        return false;
    }

    @Override
    public List<byte[]> meet(String what, byte[] message, BitSet with) {
        String now = "meeting" + round++;
        put(now, membership.rank(), message);
        List<byte[]> messages = new ArrayList<>();
        BitSet missing = (BitSet) with.clone();
        long start = System.nanoTime();
        for (int r = 0; r < membership.size(); r++) {
            messages.add(with.get(r) ? await(what, now, r, missing, start) : NOTHING);
            missing.clear(r);
        }
        // Everybody has come to this round, and so has read the one before.
        take("meeting" + (round - 2));
        return messages;
    }

    private byte[] await(String what, String now, int rank, BitSet missing, long start) {
        while (true) {
            byte[] message = read(now, rank);
            if (message != null) {
                return message;
            }
            state.requireWhole();
            requireNoFailure();
            if (read("left", rank) != null && read(now, rank) == null) {
                throw new GroupException(what + ": rank " + rank + " left the group", Where.nowhere());
            }
            long waited = System.nanoTime() - start;
            if (waited >= membership.timeout().toNanos()) {
                missing.stream().filter(r -> read(now, r) != null).forEach(missing::clear);
                throw new GroupException(what + ": " + Membership.names(missing) + " did not come "
                        + membership.withinTimeout(), Where.nowhere());
            }
            LockSupport.parkNanos(Math.min(LONGEST_PAUSE, waited / SHARE));
        }
    }

    /// @throws GroupException if a rank has failed
    void requireNoFailure() {
        for (int r = 0; r < membership.size(); r++) {
            byte[] reason = r == membership.rank() ? null : read("left", r);
            if (reason != null && reason.length > 0) {
                throw new GroupException(new String(reason, StandardCharsets.UTF_8), Where.nowhere());
            }
        }
    }

    @Override
    public void farewell(String reason) {
        put("left", membership.rank(), reason.getBytes(StandardCharsets.UTF_8));
    }

    private Path file(String name, int rank) {
        return folder.resolve(name + "." + rank);
    }

    private void put(String name, int rank, byte[] message) {
        try {
            Path written = Files.write(folder.resolve("." + name + "." + rank), message);
            Files.move(written, file(name, rank), StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write to the group's directory " + folder, e);
        }
    }

    private byte @Nullable [] read(String name, int rank) {
        try {
            return Files.readAllBytes(file(name, rank));
        } catch (NoSuchFileException e) {
            return null;
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the group's directory " + folder, e);
        }
    }

    private void take(String name) {
        try {
            Files.deleteIfExists(file(name, membership.rank()));
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write to the group's directory " + folder, e);
        }
    }
}
