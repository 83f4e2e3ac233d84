package io.fastsafetensors.core.group;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import java.util.ArrayList;
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
public final class Consensus {
    /// Of so many differences an error names the first.
    private static final int NAMED = 3;

    private final ProcessGroup group;
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
    /// @param why gets as suppressed what keeps the others from hearing of it
    private void fail(String what, Throwable why) {
        try {
            exchange(Message.failed(position + 1, what, why));
        } catch (RuntimeException e) {
            why.addSuppressed(e);
        }
    }

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
}
