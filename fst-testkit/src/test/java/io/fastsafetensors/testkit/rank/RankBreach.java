package io.fastsafetensors.testkit.rank;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.PendingCollective;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.group.RankSlice;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.spi.BufferSlice;
import io.fastsafetensors.spi.CopyStream;
import io.fastsafetensors.types.Device;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// A transport with one defect, listed from the contracts of the SPI without a look at the rules, and the rule that must
/// notice.
///
/// @param rule the rule
/// @param name what is wrong
/// @param provider the transport
@SuppressWarnings({"MustBeClosedChecker", "MustBeClosed"}) // Leaks are some of them.
public record RankBreach(String rule, String name, ProcessGroupProvider provider) {
    private static final Queue<AutoCloseable> KEPT = new ConcurrentLinkedQueue<>();

    /// Every defect.
    public static List<RankBreach> all() {
        List<RankBreach> all = new ArrayList<>();
        all.addAll(movers());
        all.addAll(planes());
        all.addAll(answers());
        all.addAll(operations());
        all.addAll(providers());
        return all;
    }

    /// Ends what leaks of a run hold.
    public static void release() throws Exception {
        for (AutoCloseable kept = KEPT.poll(); kept != null; kept = KEPT.poll()) {
            kept.close();
        }
    }

    @Override
    public String toString() {
        return rule + ": " + name;
    }

    private interface Maker {
        PostRank rank(Post post, Post data, Membership membership);
    }

    /// A defect of how a rank moves or tells.
    private static RankBreach mover(String rule, String name, Maker maker) {
        return mover(rule, name, true, maker);
    }

    private static RankBreach mover(String rule, String name, boolean watched, Maker maker) {
        return new RankBreach(rule, name, new Of() {
            @Override
            public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                Post post = new Post(devices.size(), watched);
                Post data = new Post(devices.size(), watched);
                return IntStream.range(0, devices.size()).mapToObj(rank -> PostProvider.group(maker.rank(post, data,
                        Membership.of("post", rank, devices.size(), timeout, devices.get(rank).type())))).toList();
            }
        });
    }

    /// The transport, for defects to override.
    private static class Of implements ProcessGroupProvider {
        private final ProcessGroupProvider real = new PostProvider();

        @Override
        public String name() {
            return real.name();
        }

        @Override
        public int spiVersion() {
            return real.spiVersion();
        }

        @Override
        public Set<String> deviceTypes() {
            return real.deviceTypes();
        }

        @Override
        public Optional<String> unavailable() {
            return real.unavailable();
        }

        @Override
        public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
            return real.local(devices, timeout);
        }
    }

    private static List<RankBreach> movers() {
        return List.of(mover("R-04", "a broadcast is of rank 0's bytes whoever is root",
                (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
                        super.broadcast(slice, 0, stream);
                    }
                }), mover("R-04", "a broadcast loses all after 1 MiB",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void broadcast(BufferSlice slice, int root, CopyStream stream) {
                                super.broadcast(slice.part(0, Math.min(1 << 20, slice.byteSize())), root, stream);
                            }
                        }),
                mover("R-05", "a scatter sends everybody the first part",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void scatter(List<BufferSlice> parts, BufferSlice into, int root,
                                    CopyStream stream) {
                                super.scatter(parts.isEmpty() ? parts : parts.stream().map(part -> parts.getFirst()
                                        .byteSize() == part.byteSize() ? parts.getFirst() : part).toList(), into, root,
                                        stream);
                            }
                        }),
                mover("R-05", "a root forgets its own part", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
                        super.scatter(parts, into, root, stream);
                        if (mine.rank() == root) {
                            zero(into, stream);
                        }
                    }
                }), mover("R-05", "an empty part fails", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void scatter(List<BufferSlice> parts, BufferSlice into, int root, CopyStream stream) {
                        if (into.byteSize() == 0) {
                            throw new IllegalStateException("nothing to receive");
                        }
                        super.scatter(parts, into, root, stream);
                    }
                }), mover("R-06", "an all-gather is in reverse order",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
                                super.allGather(part, all, stream);
                                long size = part.byteSize();
                                byte[] bytes = get(all, stream);
                                byte[] turned = new byte[bytes.length];
                                for (int rank = 0; rank < mine.size(); rank++) {
                                    System.arraycopy(bytes, (int) (rank * size), turned,
                                            (int) ((mine.size() - 1 - rank) * size),
                                            (int) size);
                                }
                                put(turned, all, stream);
                            }
                        }),
                mover("R-06", "an all-gather clears its target first",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void allGather(BufferSlice part, BufferSlice all, CopyStream stream) {
                                zero(all, stream);
                                super.allGather(part, all, stream);
                            }
                        }),
                mover("R-07", "a send loses its last byte", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void receive(BufferSlice slice, int from, CopyStream stream) {
                        super.receive(slice, from, stream);
                        zero(slice.part(slice.byteSize() - 1, 1), stream);
                    }
                }), mover("R-04", "the sender ignores its slice's offset",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void send(BufferSlice slice, int to, CopyStream stream) {
                                super.send(new BufferSlice(slice.buffer(), 0, slice.byteSize()), to, stream);
                            }
                        }),
                mover("R-04", "the receiver ignores its slice's offset",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void receive(BufferSlice slice, int from, CopyStream stream) {
                                super.receive(new BufferSlice(slice.buffer(), 0, slice.byteSize()), from, stream);
                            }
                        }),
                mover("R-04", "the receiver writes a byte too many",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void receive(BufferSlice slice, int from, CopyStream stream) {
                                super.receive(slice, from, stream);
                                zero(new BufferSlice(slice.buffer(), slice.offset() + slice.byteSize(), 1), stream);
                            }
                        }),
                mover("R-09", "one in seventeen transfers is wrong",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            private int transfers;

                            @Override
                            public void receive(BufferSlice slice, int from, CopyStream stream) {
                                super.receive(slice, from, stream);
                                if (++transfers % 17 == 0) {
                                    zero(slice, stream);
                                }
                            }
                        }),
                mover("R-08", "a sender does not wait for its stream",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void send(BufferSlice slice, int to, CopyStream stream) {
                                byte[] bytes = new byte[(int) slice.byteSize()];
                                MemorySegment memory = slice.buffer().segment().orElseThrow();
                                MemorySegment.copy(memory, slice.offset(), MemorySegment.ofArray(bytes), 0,
                                        bytes.length);
                                for (int at = 0; at < bytes.length; at += 1 << 20) {
                                    data.put(mine.rank(), to,
                                            Arrays.copyOfRange(bytes, at, Math.min(bytes.length, at + (1 << 20))));
                                }
                            }
                        }),
                mover("R-08", "a receive returns before its data came",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            private Thread last = new Thread();

                            @Override
                            public void receive(BufferSlice slice, int from, CopyStream stream) {
                                PostRank self = this;
                                last = background(() -> {
                                    try {
                                        Thread.sleep(5);
                                    } catch (InterruptedException _) {
                                        Thread.currentThread().interrupt();
                                    }
                                    self.late(slice, from);
                                });
                            }

                            @Override
                            void late(BufferSlice slice, int from) {
                                MemorySegment memory = slice.buffer().segment().orElseThrow();
                                for (long at = 0; at < slice.byteSize(); at += 1 << 20) {
                                    byte[] bytes = data.take(mine, state, "receiving", from);
                                    MemorySegment.copy(MemorySegment.ofArray(bytes), 0, memory, slice.offset() + at,
                                            bytes.length);
                                }
                            }

                            @Override
                            public void close(boolean whole) {
                                last.interrupt();
                            }
                        }),
                mover("R-08", "the root's memory is read after the call",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void send(BufferSlice slice, int to, CopyStream stream) {
                                background(() -> {
                                    try {
                                        Thread.sleep(5);
                                        MemorySegment memory = slice.buffer().segment().orElseThrow();
                                        for (long at = 0; at < slice.byteSize(); at += 1 << 20) {
                                            byte[] bytes = new byte[(int) Math.min(1 << 20, slice.byteSize() - at)];
                                            MemorySegment.copy(memory, slice.offset() + at,
                                                    MemorySegment.ofArray(bytes), 0,
                                                    bytes.length);
                                            data.put(mine.rank(), to, bytes);
                                        }
                                    } catch (InterruptedException _) {
                                        Thread.currentThread().interrupt();
                                    }
                                });
                            }
                        }),
                mover("R-04", "ranks above 3 are taken modulo 4", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void broadcast(BufferSlice slice, int root, CopyStream stream) {
                        super.broadcast(slice, root, stream);
                        if (mine.rank() > 3) {
                            zero(slice, stream);
                        }
                    }
                }), mover("R-18", "pieces land in reverse order", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
                        List<RankSlice> turned = new ArrayList<>(pieces);
                        if (mine.rank() == 0 && turned.size() > 1 && turned.stream()
                                .map(piece -> piece.slice().byteSize()).distinct().count() == 1) {
                            Collections.reverse(turned);
                        }
                        return super.allGather(mine.rank() == 0 && pieces.size() > 1 ? swapped(pieces) : turned,
                                stream);
                    }
                }), mover("R-18", "the first piece is lost", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
                        return super.allGather(pieces.subList(1, pieces.size()), stream);
                    }
                }), mover("R-18", "pieces are said to be there at once",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public PendingCollective allGather(List<RankSlice> pieces, CopyStream stream) {
                                PostRank self = this;
                                background(() -> pieces.forEach(piece -> self.late(piece)));
                                return PendingCollective.DONE;
                            }

                            @Override
                            void late(RankSlice piece) {
                                MemorySegment memory = piece.slice().buffer().segment().orElseThrow();
                                for (int other = 0; other < mine.size(); other++) {
                                    if (mine.rank() == piece.root() && other != mine.rank()) {
                                        data.put(mine.rank(), other, memory.asSlice(piece.slice().offset(),
                                                piece.slice().byteSize())
                                                .toArray(java.lang.foreign.ValueLayout.JAVA_BYTE));
                                    }
                                }
                                if (mine.rank() != piece.root()) {
                                    try {
                                        Thread.sleep(3);
                                    } catch (InterruptedException _) {
                                        Thread.currentThread().interrupt();
                                    }
                                    MemorySegment.copy(
                                            MemorySegment.ofArray(data.take(mine, state, "piece", piece.root())), 0,
                                            memory, piece.slice().offset(), piece.slice().byteSize());
                                }
                            }
                        }),
                mover("R-22", "each rank leaves a thread", (post, data, mine) -> {
                    CountDownLatch end = new CountDownLatch(1);
                    Thread.ofPlatform().daemon().name("acme-listener").start(() -> {
                        try {
                            end.await();
                        } catch (InterruptedException _) {
                            Thread.currentThread().interrupt();
                        }
                    });
                    KEPT.add(end::countDown);
                    return new PostRank(post, data, mine);
                }), mover("R-22", "each rank leaves a socket", (post, data, mine) -> {
                    try {
                        KEPT.add(new ServerSocket(0));
                    } catch (IOException e) {
                        throw new IllegalStateException(e);
                    }
                    return new PostRank(post, data, mine);
                }), mover("R-22", "each operation leaves native memory",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public void broadcast(BufferSlice slice, int root, CopyStream stream) {
                                java.lang.foreign.Arena arena = java.lang.foreign.Arena.ofShared();
                                arena.allocate(4 << 20).fill((byte) 1);
                                KEPT.add(arena);
                                super.broadcast(slice, root, stream);
                            }
                        }));
    }

    private static List<RankSlice> swapped(List<RankSlice> pieces) {
        List<RankSlice> turned = new ArrayList<>(pieces);
        for (int i = 0; i + 1 < pieces.size(); i++) {
            RankSlice one = pieces.get(i);
            RankSlice two = pieces.get(i + 1);
            if (one.slice().byteSize() == two.slice().byteSize()) {
                turned.set(i, new RankSlice(one.root(), two.slice()));
                turned.set(i + 1, new RankSlice(two.root(), one.slice()));
                return turned;
            }
        }
        return turned;
    }

    private static byte[] get(BufferSlice slice, CopyStream stream) {
        byte[] bytes = new byte[(int) slice.byteSize()];
        stream.copyToHost(slice.buffer(), slice.offset(), MemorySegment.ofArray(bytes));
        stream.synchronize();
        return bytes;
    }

    private static void put(byte[] bytes, BufferSlice slice, CopyStream stream) {
        stream.copyToDevice(MemorySegment.ofArray(bytes), slice.buffer(), slice.offset());
        stream.synchronize();
    }

    private static void zero(BufferSlice slice, CopyStream stream) {
        put(new byte[(int) slice.byteSize()], slice, stream);
    }

    private static List<RankBreach> planes() {
        return List.of(mover("R-14", "nobody who waits is told of the timeout", false, PostRank::new),
                mover("R-14", "the timeout is ten times as long", (post, data, mine) -> new PostRank(post, data,
                        Membership.of("post", mine.rank(), mine.size(), mine.timeout().multipliedBy(10),
                                mine.deviceType()))),
                mover("R-14", "who does not come is not named", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public List<byte[]> meet(String what, byte[] message, BitSet with) {
                        try {
                            return super.meet(what, message, with);
                        } catch (GroupException _) {
                            throw new GroupException("timeout", Where.nowhere());
                        }
                    }
                }), mover("R-15", "a rank leaves without a word", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public void farewell(String reason) {
                        // Nobody hears of it.
                    }
                }), mover("R-11", "ranks do not compare what they call",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public boolean meetsBeforeData() {
                                return false;
                            }
                        }),
                mover("R-02", "messages are cut at 64 KiB", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public List<byte[]> meet(String what, byte[] message, BitSet with) {
                        return super.meet(what, Arrays.copyOf(message, Math.min(message.length, 1 << 16)), with);
                    }
                }), mover("R-03", "a barrier waits for the neighbour only",
                        (post, data, mine) -> new PostRank(post, data, mine) {
                            @Override
                            public List<byte[]> meet(String what, byte[] message, BitSet with) {
                                if (!what.startsWith("barrier") || mine.size() < 3) {
                                    return super.meet(what, message, with);
                                }
                                post.put(mine.rank(), (mine.rank() + 1) % mine.size(), message);
                                int before = (mine.rank() + mine.size() - 1) % mine.size();
                                byte[] one = post.take(mine, state, what, before);
                                return Collections.nCopies(mine.size(), one);
                            }
                        }),
                mover("R-03", "a barrier waits for nobody", (post, data, mine) -> new PostRank(post, data, mine) {
                    @Override
                    public List<byte[]> meet(String what, byte[] message, BitSet with) {
                        return what.startsWith("barrier") ? Collections.nCopies(mine.size(), message)
                                : super.meet(what, message, with);
                    }
                }), new RankBreach("R-21", "groups that live at once share their messages", new Of() {
                    private final Post post = new Post(8, true);
                    private final Post data = new Post(8, true);

                    @Override
                    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                        return IntStream.range(0, devices.size()).mapToObj(rank -> PostProvider.group(new PostRank(post,
                                data, Membership.of("post", rank, devices.size(), timeout, devices.get(rank).type())) {
                            @Override
                            public void farewell(String reason) {
                                // The others go on with the same messages.
                            }
                        })).toList();
                    }
                }), new RankBreach("R-21", "the end of one group ends the next one", new Of() {
                    private final AtomicInteger ended = new AtomicInteger();

                    @Override
                    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                        int before = ended.get();
                        Post post = new Post(devices.size(), true);
                        return IntStream.range(0, devices.size()).mapToObj(rank -> PostProvider.group(new PostRank(post,
                                new Post(devices.size(), true), Membership.of("post", rank, devices.size(), timeout,
                                        devices.get(rank).type())) {
                            @Override
                            public List<byte[]> meet(String what, byte[] message, BitSet with) {
                                if (ended.get() != before) {
                                    throw new GroupException("the library is shut down", Where.nowhere());
                                }
                                return super.meet(what, message, with);
                            }

                            @Override
                            public void close(boolean whole) {
                                if (membership().rank() == 0 && membership().size() > 1) {
                                    ended.incrementAndGet();
                                }
                            }
                        })).toList();
                    }
                }));
    }

    /// One call of a group.
    private record Call(ProcessGroup group, Method method, Object[] arguments) {
        String name() {
            return method.getName();
        }

        @Nullable
        Object proceed() throws Throwable {
            return proceed(arguments);
        }

        @Nullable
        Object proceed(Object[] changed) throws Throwable {
            try {
                return method.invoke(group, changed);
            } catch (InvocationTargetException e) {
                throw e.getCause();
            }
        }
    }

    private interface Change {
        @Nullable
        Object call(Call call) throws Throwable;
    }

    /// A defect between the caller and the group.
    private static RankBreach group(String rule, String name, Change change) {
        return new RankBreach(rule, name, new Of() {
            @Override
            public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                return super.local(devices, timeout).stream().map(real -> (ProcessGroup) Proxy.newProxyInstance(
                        RankBreach.class.getClassLoader(), new Class<?>[] {ProcessGroup.class},
                        (_, method, given) -> change
                                .call(new Call(real, method, given == null ? new Object[0] : given))))
                        .toList();
            }
        });
    }

    private static RankBreach answering(String rule, String method, Object answer) {
        return group(rule, method + " is " + answer, call -> call.name().equals(method) ? answer : call.proceed());
    }

    private static List<RankBreach> answers() {
        return List.of(answering("R-01", "transport", "mail"), answering("R-01", "rank", 0),
                group("R-01", "size is one too small", call -> call.name().equals("size")
                        ? (Object) Math.max(1, (int) java.util.Objects.requireNonNull(call.proceed()) - 1)
                        : call.proceed()),
                answering("R-01", "timeout", Duration.ofMinutes(10)), answering("R-01", "moves", false),
                answering("R-01", "moves", true));
    }

    private static List<RankBreach> operations() {
        return List.of(group("R-02", "exchange leaves out the own message", call -> {
            Object answer = call.proceed();
            if (!call.name().equals("exchange")) {
                return answer;
            }
            List<byte[]> all = bytes(answer);
            all.set(call.group().rank(), new byte[0]);
            return all;
        }), group("R-02", "exchange fails for nothing", call -> {
            if (call.name().equals("exchange") && ((byte[]) call.arguments()[0]).length == 0) {
                throw new IllegalArgumentException("empty");
            }
            return call.proceed();
        }), group("R-02", "exchange gives the messages of a third rank for those of the second", call -> {
            Object answer = call.proceed();
            if (!call.name().equals("exchange") || call.group().size() < 3) {
                return answer;
            }
            List<byte[]> all = bytes(answer);
            all.set(1, all.get(2));
            return all;
        }), group("R-16", "the second close fails", new Change() {
            private final Set<Object> closed = java.util.concurrent.ConcurrentHashMap.newKeySet();

            @Override
            public @Nullable Object call(Call call) throws Throwable {
                if (call.name().equals("close") && !closed.add(call.group())) {
                    throw new GroupException("invalid communicator", Where.nowhere());
                }
                return call.proceed();
            }
        }), group("R-16", "a closed group fails as a broken one does", call -> {
            try {
                return call.proceed();
            } catch (IllegalStateException e) {
                throw new GroupException("broken: " + e.getMessage(), Where.nowhere());
            }
        }), group("R-16", "a closed group does nothing", call -> {
            try {
                return call.proceed();
            } catch (IllegalStateException e) {
                if (call.name().equals("exchange")) {
                    return List.of();
                }
                return null;
            }
        }), group("R-11", "a broken group does not say what broke it", call -> {
            try {
                return call.proceed();
            } catch (GroupException e) {
                throw new GroupException(String.valueOf(e.getMessage()), Where.nowhere());
            }
        }), group("R-11", "a broken group seems to work", call -> {
            try {
                return call.proceed();
            } catch (GroupException e) {
                if (e.getCause() != null && call.name().equals("barrier")) {
                    return null;
                }
                throw e;
            }
        }), group("R-11", "failures are RuntimeExceptions", call -> {
            try {
                return call.proceed();
            } catch (GroupException e) {
                throw new IllegalStateException(e.getMessage(), e);
            }
        }), group("R-04", "a broadcast of nothing fails", call -> {
            if (call.name().equals("broadcast") && ((BufferSlice) call.arguments()[0]).byteSize() == 0) {
                throw new IllegalArgumentException("nothing to send");
            }
            return call.proceed();
        }), group("R-18", "pieces of nothing fail", call -> {
            if (call.name().equals("allGather") && call.arguments()[0] instanceof List<?> pieces
                    && pieces.stream().anyMatch(piece -> ((RankSlice) piece).slice().byteSize() == 0)) {
                throw new IllegalArgumentException("nothing to send");
            }
            return call.proceed();
        }), group("R-10", "a rank that is not there is rank 0", call -> {
            if (call.name().equals("broadcast") && (int) call.arguments()[1] >= call.group().size()) {
                return null;
            }
            return call.proceed();
        }), group("R-10", "a wrong argument breaks the group", new Change() {
            private final Set<Object> broken = java.util.concurrent.ConcurrentHashMap.newKeySet();

            @Override
            public @Nullable Object call(Call call) throws Throwable {
                if (broken.contains(call.group()) && !call.name().equals("close")
                        && call.method().getReturnType() != int.class) {
                    throw new GroupException("broken", Where.nowhere());
                }
                try {
                    return call.proceed();
                } catch (IllegalArgumentException e) {
                    broken.add(call.group());
                    throw e;
                }
            }
        }), group("R-10", "a rank may send to itself", call -> {
            if (call.name().equals("send") && (int) call.arguments()[1] == call.group().rank()) {
                return null;
            }
            return call.proceed();
        }), group("R-10", "a message of 1 MiB is taken", call -> {
            if (call.name().equals("exchange") && ((byte[]) call.arguments()[0]).length >= 1 << 20) {
                return call.proceed(new Object[] {new byte[0]});
            }
            return call.proceed();
        }), group("R-12", "sizes that differ are cut to the smaller one", call -> {
            if (call.name().equals("broadcast") && ((BufferSlice) call.arguments()[0]).byteSize() == 11) {
                return call.proceed(new Object[] {((BufferSlice) call.arguments()[0]).part(0, 10), call.arguments()[1],
                    call.arguments()[2]});
            }
            return call.proceed();
        }), group("R-13", "parts that differ are cut to the smaller one", call -> {
            if (call.name().equals("scatter") && ((BufferSlice) call.arguments()[1]).byteSize() == 11) {
                return call.proceed(new Object[] {call.arguments()[0], ((BufferSlice) call.arguments()[1]).part(0, 10),
                    call.arguments()[2], call.arguments()[3]});
            }
            return call.proceed();
        }));
    }

    private static List<byte[]> bytes(@Nullable Object answer) {
        List<byte[]> all = new ArrayList<>();
        for (Object message : (List<?>) java.util.Objects.requireNonNull(answer)) {
            all.add((byte[]) message);
        }
        return all;
    }

    private static List<RankBreach> providers() {
        return List.of(new RankBreach("R-19", "unavailable() throws", new Of() {
            @Override
            public Optional<String> unavailable() {
                throw new UnsatisfiedLinkError("libacme.so");
            }
        }), new RankBreach("R-19", "unavailable() prints", new Of() {
            @Override
            public Optional<String> unavailable() {
                System.out.println("acme 1.0");
                return super.unavailable();
            }
        }), new RankBreach("R-19", "unavailable() changes its mind", new Of() {
            private final AtomicInteger calls = new AtomicInteger();

            @Override
            public Optional<String> unavailable() {
                return calls.incrementAndGet() % 3 == 0 ? Optional.of("busy") : Optional.empty();
            }
        }), new RankBreach("R-19", "the name is no word", new Of() {
            @Override
            public String name() {
                return "Post 1.0";
            }
        }), new RankBreach("R-19", "the name is another one than registered", new Of() {
            @Override
            public String name() {
                return "mail";
            }
        }), new RankBreach("R-19", "it is made for an SPI of the future", new Of() {
            @Override
            public int spiVersion() {
                return 99;
            }
        }), new RankBreach("R-19", "device types are in capitals", new Of() {
            @Override
            public Set<String> deviceTypes() {
                return Set.of("CUDA");
            }
        }), new RankBreach("R-19", "forming a group prints", new Of() {
            @Override
            public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                System.out.println("group of " + devices.size());
                return super.local(devices, timeout);
            }
        }), new RankBreach("R-20", "joining, which is not there, is an IllegalStateException", new Of() {
            @Override
            public ProcessGroup join(io.fastsafetensors.group.Bootstrap bootstrap) {
                throw new IllegalStateException("threads only");
            }
        }), new RankBreach("R-20", "joining, which is not there, gives a group of one", new Of() {
            @Override
            public ProcessGroup join(io.fastsafetensors.group.Bootstrap bootstrap) {
                Membership mine = Membership.of("post", 0, 1, bootstrap.timeout(), bootstrap.device().type());
                return PostProvider.group(new PostRank(new Post(1, true), new Post(1, true), mine));
            }
        }), new RankBreach("R-01", "ranks are handed out in reverse order", new Of() {
            @Override
            public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                return super.local(devices, timeout).reversed();
            }
        }), new RankBreach("R-01", "one rank is left out", new Of() {
            @Override
            public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
                List<ProcessGroup> groups = super.local(devices, timeout);
                return devices.size() < 3 ? groups : groups.subList(0, groups.size() - 1);
            }
        }));
    }

    /// What it throws when its target is gone says nothing.
    private static Thread background(Runnable work) {
        return Thread.ofPlatform().daemon().name("late").uncaughtExceptionHandler((_, _) -> Thread.onSpinWait())
                .start(work);
    }
}
