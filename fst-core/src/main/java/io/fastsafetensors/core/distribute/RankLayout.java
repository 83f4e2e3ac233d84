package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.core.plan.Planner.Cuts;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import io.fastsafetensors.types.TensorInfo;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The distribution of a load over ranks, and its choice.
///
/// @param rank this rank
/// @param ranks how many there are
/// @param distribution the distribution, never [Distribution#AUTO]
/// @param why why this one, for people
/// @param shards what each rank loads a part of, in [Distribution#LOCAL] alone
public record RankLayout(int rank, int ranks, Distribution distribution, String why, Optional<ShardSpec> shards)
        implements Cuts {
    /// Names of what a rank tells of itself: the type of its device, whether the transport moves its memory, and its budget
    /// in bytes.
    private static final String DEVICE = "device";
    private static final String LINK = "link";
    private static final String BUDGET = "budget";
    private static final String MOVES = "moves it";

    /// Of a rank that loads by itself.
    public static final RankLayout ALONE =
            new RankLayout(0, 1, Distribution.LOCAL, "there is one rank", Optional.empty());

    /// The distribution without any communication: each rank reads what it is to have.
    public static RankLayout local(LoadOptions options, String why) {
        int rank = options.group().map(ProcessGroup::rank).orElse(0);
        int ranks = options.group().map(ProcessGroup::size).orElse(1);
        return ranks == 1 ? ALONE : new RankLayout(rank, ranks, Distribution.LOCAL, why, options.shards());
    }

    /// What a rank tells the others of itself before they choose.
    public static Map<String, String> own(ProcessGroup group, Device device, long deviceBudget) {
        String link = group.moves(device.type()) ? MOVES : "transport " + group.transport() + " does not move "
                + device.type() + " memory";
        return Map.of(DEVICE, device.type(), LINK, link, BUDGET, Long.toString(deviceBudget));
    }

    /// The smallest device budget of all ranks.
    public static long budget(List<Map<String, String>> ranks) {
        return ranks.stream().mapToLong(own -> Long.parseLong(own.getOrDefault(BUDGET, "0"))).min().orElseThrow();
    }

    /// Chooses from what every rank told of itself and from options that are the same on all, so that all choose the same.
    ///
    /// In this order: what was asked for; OWNER where the caller gave the files to ranks; LOCAL with a shard
    /// specification; LOCAL where memory cannot be moved between the ranks; else STRIPED.
    ///
    /// @param filesGiven whether the caller said which rank owns which file
    /// @param ranks what each rank told of itself
    /// @throws UnsupportedFeatureException if the distribution that was asked for needs a link that is not there
    /// @throws UnsupportedFeatureException if what was asked for moves memory that the transport does not move, on
    ///        whichever rank
    public static RankLayout choose(LoadOptions options, ProcessGroup group, boolean filesGiven,
            List<Map<String, String>> ranks) {
        Optional<String> obstacle = obstacle(ranks);
        Distribution asked = options.distribution();
        if (asked != Distribution.AUTO) {
            if (asked != Distribution.LOCAL && obstacle.isPresent()) {
                throw new UnsupportedFeatureException("distribution " + asked + " moves tensors between the ranks, and "
                        + obstacle.get() + "; use LOCAL or another transport", Where.nowhere());
            }
            return of(options, group, asked, "it was asked for");
        }
        if (filesGiven && obstacle.isEmpty()) {
            return of(options, group, Distribution.OWNER, "the files were given to ranks");
        }
        if (options.shards().isPresent()) {
            return of(options, group, Distribution.LOCAL, "each rank reads just the ranges of its own shards");
        }
        if (obstacle.isPresent()) {
            return of(options, group, Distribution.LOCAL, "every rank reads everything itself since "
                    + obstacle.get());
        }
        return of(options, group, Distribution.STRIPED,
                "whole tensors go to every rank, and transport " + group.transport() + " moves "
                        + ranks.getFirst().getOrDefault(DEVICE, "?") + " memory: every byte is read once");
    }

    /// Why tensors cannot be moved between the ranks: one rank that cannot take part keeps all from it.
    ///
    /// The first rank's, so that all ranks tell the same.
    private static Optional<String> obstacle(List<Map<String, String>> ranks) {
        for (int r = 0; r < ranks.size(); r++) {
            String link = ranks.get(r).getOrDefault(LINK, "");
            if (!link.equals(MOVES)) {
                return Optional.of("on rank " + r + " " + link);
            }
        }
        return Optional.empty();
    }

    private static RankLayout of(LoadOptions options, ProcessGroup group, Distribution distribution, String why) {
        return new RankLayout(group.rank(), group.size(), distribution, why,
                distribution == Distribution.LOCAL ? options.shards() : Optional.empty());
    }

    /// Whether there are other ranks.
    public boolean isShared() {
        return ranks > 1;
    }

    /// The distribution in a plan, with the memory that it needs.
    ///
    /// @param transientBytes device memory that readers need while they run
    public LoadPlan.Sharing sharing(LoadPlan plan, long transientBytes) {
        String held = plan.deviceBytes() + " device bytes and " + transientBytes + " while reading";
        return new LoadPlan.Sharing(rank, ranks, distribution, why, switch (distribution) {
            case OWNER -> held + " for what this rank reads, less each file that was handed out; besides, what calls"
                    + " give to this rank, and one tensor that is being cut (getAll: up to 256 MiB of them)";
            case STRIPED -> held + ": everything on every rank";
            case LOCAL -> held + ": what this rank asked for";
            case AUTO -> throw new AssertionError("a way that was not chosen");
        });
    }

    /// The part of a tensor that this rank's memory gets while loading.
    @Override
    public Part of(TensorInfo tensor) {
        int dim = distribution == Distribution.LOCAL && isShared()
                ? shards.map(spec -> spec.dim(tensor.name())).orElse(-1) : -1;
        return dim < 0 ? Part.whole(tensor) : Part.of(tensor, dim, rank, ranks);
    }
}
