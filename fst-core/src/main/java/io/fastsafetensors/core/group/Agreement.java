package io.fastsafetensors.core.group;

import io.fastsafetensors.error.GroupException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What the ranks of a group tell each other before they do something together: what they are about to do, or why they
/// cannot. Used by one thread of a rank at a time.
public final class Agreement {
    /// Of so many differences an error names the first.
    private static final int NAMED = 3;

    private final ProcessGroup group;
    private long position;

    /// @param group the ranks
    public Agreement(ProcessGroup group) {
        this.group = group;
    }

    /// As [#reach(String, Map, Map)], where ranks have nothing of their own to tell.
    public void reach(String what, Map<String, String> facts) {
        reach(what, facts, Map.of());
    }

    /// Returns when every rank is about to do the same.
    ///
    /// @param what this rank's next step, for people, such as `get("w")`
    /// @param facts what must be the same on every rank, by name, with the step itself
    /// @param own what may differ
    /// @return what each rank told of its own, by rank
    /// @throws GroupException naming the ranks that do something else, cannot, or did not come in time
    public List<Map<String, String>> reach(String what, Map<String, String> facts, Map<String, String> own) {
        List<Message> all = exchange(Message.ready(position + 1, what, facts, own));
        for (int r = 0; r < all.size(); r++) {
            if (all.get(r).failure() != null) {
                throw new GroupException("rank " + r + " failed in " + all.get(r).what() + ": "
                        + all.get(r).failure(), Where.nowhere());
            }
        }
        requireSame(all);
        return all.stream().map(Message::own).toList();
    }

    /// Tells the others, who are about to do the same, why this rank cannot. Their call of [#reach] fails with the reason.
    ///
    /// @param why gets as suppressed what keeps the others from hearing of it
    public void fail(String what, Throwable why) {
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
