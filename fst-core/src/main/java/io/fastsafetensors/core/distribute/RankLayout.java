package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.LoadPlan;
import io.fastsafetensors.api.ShardSpec;
import io.fastsafetensors.core.plan.Cuts;
import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.TensorInfo;
import java.util.Optional;

/// The way that a load is shared by ranks.
///
/// @param rank this rank
/// @param ranks how many there are
/// @param distribution the way, never [Distribution#AUTO]
/// @param why why this one, for people
/// @param shards what each rank loads a part of, in [Distribution#LOCAL] alone
public record RankLayout(int rank, int ranks, Distribution distribution, String why, Optional<ShardSpec> shards)
        implements Cuts {
    /// Of a rank that loads by itself.
    public static final RankLayout ALONE =
            new RankLayout(0, 1, Distribution.LOCAL, "there is one rank", Optional.empty());

    /// The way without any communication: each rank reads what it is to have.
    public static RankLayout local(LoadOptions options, String why) {
        int rank = options.group().map(ProcessGroup::rank).orElse(0);
        int ranks = options.group().map(ProcessGroup::size).orElse(1);
        return ranks == 1 ? ALONE : new RankLayout(rank, ranks, Distribution.LOCAL, why, options.shards());
    }

    /// Whether there are other ranks.
    public boolean isShared() {
        return ranks > 1;
    }

    /// The way in a plan, with the memory that it needs.
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
