package io.fastsafetensors.core.group;

import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Brings the ranks of a group to a step that they take together: each makes itself ready and tells the others what it is
/// about to do, or why it cannot. The two cannot be done apart. Used by one thread of a rank at a time.
///
/// The message of a step carries its number, its name, a failure if there is one, facts that must be equal, and what
/// may differ. All ranks see all messages and judge them alike, so either every rank goes on or every rank throws.
public final class Consensus {
    /// Of so many differences an error names the first.
    private static final int NAMED = 3;

    private final ProcessGroup group;
    /// Steps taken so far. It is told with each step, so that a rank that is one call behind is found out even where two
    /// calls in a row are the same.
    private long position;

    /// @param group the ranks
    public Consensus(ProcessGroup group) {
        this.group = group;
    }

    /// A rank's message to the others about its part of a step.
    ///
    /// @param facts what must be the same on every rank, by name
    /// @param own what may differ
    public record Told(Map<String, String> facts, Map<String, String> own) {
        /// Nothing but that it is ready.
        public static final Told NOTHING = new Told(Map.of(), Map.of());

        /// What must be the same on every rank, by name.
        public static Told same(Map<String, String> facts) {
            return new Told(facts, Map.of());
        }
    }

    /// A step that every rank is ready for.
    ///
    /// @param value what this rank has made ready
    /// @param own what each rank told of its own, by rank
    /// @param <T> the type of the value
    public record Reached<T>(T value, List<Map<String, String>> own) {
    }

    /// Makes this rank ready for a step, and returns when every rank is. Whatever keeps a rank from it is told to the
    /// others, whose calls fail with the reason; the group goes on. So everything that can fail on one rank alone (checks,
    /// allocations, reads) belongs into `ready`, and what comes after the step is left to the transport.
    ///
    /// @param what this rank's next step, for people, such as `get("w")`; the same on every rank
    /// @param ready makes ready; what it throws is told and thrown on
    /// @param told what there is to tell of it
    /// @param undo gives back what was made ready when the step does not take place
    /// @throws GroupException naming the ranks that do something else, cannot, or did not come in time
    public <T> Reached<T> reach(String what, Supplier<T> ready, Function<? super T, Told> told,
            Consumer<? super T> undo) {
        T value;
        Told mine;
        try {
            value = ready.get();
        } catch (RuntimeException | Error e) {
            fail(what, e);
            throw e;
        }
        try {
            mine = told.apply(value);
        } catch (RuntimeException | Error e) {
            fail(what, e);
            undo(value, undo, e);
            throw e;
        }
        try {
            return new Reached<>(value, reach(what, mine));
        } catch (RuntimeException | Error e) {
            undo(value, undo, e);
            throw e;
        }
    }

    /// As [#reach(String, Supplier, Function, Consumer)], where nothing is made that could be undone.
    public void reach(String what, Runnable ready) {
        reach(what, () -> {
            ready.run();
            return what;
        }, _ -> Told.NOTHING, _ -> {
        });
    }

    private static <T> void undo(T value, Consumer<? super T> undo, Throwable why) {
        try {
            undo.accept(value);
        } catch (RuntimeException | Error e) {
            why.addSuppressed(e);
        }
    }

    private List<Map<String, String>> reach(String what, Told told) {
        List<Message> all = exchange(Message.ready(position + 1, what, told.facts(), told.own()));
        for (int r = 0; r < all.size(); r++) {
            if (all.get(r).failure() != null) {
                throw new GroupException("rank " + r + " failed in " + all.get(r).what() + ": "
                        + all.get(r).failure(), Where.nowhere());
            }
        }
        requireSame(all);
        return all.stream().map(Message::own).toList();
    }

    /// Tells the others, who are about to do the same, why this rank cannot.
    ///
    /// Counts as a step, so that the ranks stay in step with each other.
    ///
    /// @param why gets as suppressed what keeps the others from hearing of it
    private void fail(String what, Throwable why) {
        try {
            exchange(Message.failed(position + 1, what, why));
        } catch (RuntimeException e) {
            why.addSuppressed(e);
        }
    }

    /// @throws GroupException if a rank does not come within the group's timeout
    private List<Message> exchange(Message mine) {
        List<byte[]> all;
        try {
            position++;
            all = group.exchange(mine.encode());
        } catch (GroupException e) {
            throw new GroupException(mine.what() + ": " + e.getMessage(), Where.nowhere(), e);
        }
        return all.stream().map(Message::decode).toList();
    }

    /// The step first, then the facts: ranks that do different things have different facts as well, which would say
    /// less.
    private static void requireSame(List<Message> all) {
        Set<String> names = new LinkedHashSet<>();
        all.forEach(message -> names.addAll(message.facts().keySet()));
        List<String> differences = new ArrayList<>();
        for (int r = 1; r < all.size(); r++) {
            if (!all.get(r).step().equals(all.getFirst().step())) {
                throw new GroupException("the ranks do different things: rank 0 " + all.getFirst().step() + ", rank "
                        + r + " " + all.get(r).step(), Where.nowhere());
            }
        }
        for (String name : names) {
            String difference = difference(all, name);
            if (difference != null) {
                differences.add(difference);
            }
        }
        if (!differences.isEmpty()) {
            int more = differences.size() - NAMED;
            throw new GroupException("the ranks disagree in " + all.getFirst().what() + ": "
                    + String.join("; ", differences.subList(0, Math.min(NAMED, differences.size())))
                    + (more > 0 ? "; and " + more + " more" : ""), Where.nowhere());
        }
    }

    /// Null if all ranks have the same; a fact that one rank does not tell is "nothing".
    private static @Nullable String difference(List<Message> all, String name) {
        String first = all.getFirst().facts().getOrDefault(name, "nothing");
        for (int r = 1; r < all.size(); r++) {
            String other = all.get(r).facts().getOrDefault(name, "nothing");
            if (!other.equals(first)) {
                return name + ": rank 0 has " + first + ", rank " + r + " has " + other;
            }
        }
        return null;
    }

    /// One rank's message to the others before a step.
    ///
    /// @param position how many steps it has taken together with the others, this one included
    /// @param what the step
    /// @param failure why it cannot take it, null if it can
    /// @param facts what must be the same on every rank
    /// @param own what may differ
    record Message(long position, String what, @Nullable String failure, Map<String, String> facts,
            Map<String, String> own) {
        /// Half of what a message may have: facts that are longer are told as a digest.
        private static final int LONGEST_FACTS = 512 << 10;
        private static final int LONGEST_FAILURE = 4 << 10;

        static Message ready(long position, String what, Map<String, String> facts, Map<String, String> own) {
            return new Message(position, what, null, facts, own);
        }

        /// @param why told by its class and message, cut to a length that every transport moves in one message
        static Message failed(long position, String what, Throwable why) {
            String text = why.getClass().getSimpleName() + ": " + why.getMessage();
            return new Message(position, what, text.substring(0, Math.min(LONGEST_FAILURE, text.length())), Map.of(),
                    Map.of());
        }

        /// The step, such that different ones differ.
        String step() {
            return "calls " + what + " as step " + position;
        }

        /// Its bytes. Ranks of two versions of fst need not understand each other.
        byte[] encode() {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            try (DataOutputStream out = new DataOutputStream(bytes)) {
                out.writeLong(position);
                write(out, what);
                out.writeBoolean(failure != null);
                write(out, failure == null ? "" : failure);
                ByteArrayOutputStream all = new ByteArrayOutputStream();
                write(new DataOutputStream(all), facts);
                if (all.size() <= LONGEST_FACTS) {
                    all.writeTo(out);
                } else {
                    write(out, Map.of("digest of " + facts.size() + " facts", Sha256.hex(all.toByteArray())));
                }
                write(out, own);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return bytes.toByteArray();
        }

        /// Reads what [#encode()] wrote.
        ///
        /// @throws GroupException if it is something else: another version of fst, or another use of the group
        static Message decode(byte[] bytes) {
            try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
                long position = in.readLong();
                String what = read(in);
                boolean failed = in.readBoolean();
                String failure = read(in);
                return new Message(position, what, failed ? failure : null, readMap(in), readMap(in));
            } catch (IOException e) {
                throw new GroupException("a rank sent what no rank of this version sends", Where.nowhere(), e);
            }
        }

        private static void write(DataOutputStream out, String text) throws IOException {
            byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
            out.writeInt(utf8.length);
            out.write(utf8);
        }

        private static void write(DataOutputStream out, Map<String, String> map) throws IOException {
            out.writeInt(map.size());
            for (Map.Entry<String, String> entry : map.entrySet()) {
                write(out, entry.getKey());
                write(out, entry.getValue());
            }
        }

        private static String read(DataInputStream in) throws IOException {
            int length = in.readInt();
            if (length < 0 || length > in.available()) {
                throw new IOException("a text of " + length + " bytes");
            }
            return new String(in.readNBytes(length), StandardCharsets.UTF_8);
        }

        private static Map<String, String> readMap(DataInputStream in) throws IOException {
            Map<String, String> map = new LinkedHashMap<>();
            for (int left = in.readInt(); left > 0; left--) {
                map.put(read(in), read(in));
            }
            return map;
        }
    }
}
