package io.fastsafetensors.core.distribute;

import io.fastsafetensors.api.Distribution;
import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.Device;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Picks the way of a load from what every rank knows of every rank, so that all pick the same.
public final class DistributionSelector {
    private static final String DEVICE = "device";
    private static final String LINK = "link";
    private static final String BUDGET = "budget";
    private static final String MOVES = "moves it";

    private DistributionSelector() {
    }

    /// What a rank tells of itself.
    public static Map<String, String> own(ProcessGroup group, Device device, long deviceBudget) {
        String link = group.moves(device.type()) ? MOVES : "transport " + group.transport() + " does not move "
                + device.type() + " memory";
        return Map.of(DEVICE, device.type(), LINK, link, BUDGET, Long.toString(deviceBudget));
    }

    /// The smallest device budget of all ranks.
    public static long budget(List<Map<String, String>> ranks) {
        return ranks.stream().mapToLong(own -> Long.parseLong(own.getOrDefault(BUDGET, "0"))).min().orElseThrow();
    }

    /// The way.
    ///
    /// @param filesGiven whether the caller said which rank owns which file
    /// @param ranks what each rank told of itself
    /// @throws UnsupportedFeatureException if the way that was asked for needs a link that is not there
    public static RankLayout choose(LoadOptions options, ProcessGroup group, boolean filesGiven,
            List<Map<String, String>> ranks) {
        Optional<String> obstacle = obstacle(ranks);
        Distribution asked = options.distribution();
        if (asked != Distribution.AUTO) {
            if (asked != Distribution.LOCAL && obstacle.isPresent()) {
                throw new UnsupportedFeatureException("distribution " + asked + " moves tensors between the ranks, and "
                        + obstacle.get() + "; use LOCAL or another transport", Where.nowhere());
            }
            return way(options, group, asked, "it was asked for");
        }
        if (filesGiven && obstacle.isEmpty()) {
            return way(options, group, Distribution.OWNER, "the files were given to ranks");
        }
        if (options.shards().isPresent()) {
            return way(options, group, Distribution.LOCAL, "each rank reads just the ranges of its own shards");
        }
        if (obstacle.isPresent()) {
            return way(options, group, Distribution.LOCAL, "every rank reads everything itself since "
                    + obstacle.get());
        }
        return way(options, group, Distribution.STRIPED,
                "whole tensors go to every rank, and transport " + group.transport() + " moves "
                        + ranks.getFirst().getOrDefault(DEVICE, "?") + " memory: every byte is read once");
    }

    private static Optional<String> obstacle(List<Map<String, String>> ranks) {
        for (int r = 0; r < ranks.size(); r++) {
            String link = ranks.get(r).getOrDefault(LINK, "");
            if (!link.equals(MOVES)) {
                return Optional.of("on rank " + r + " " + link);
            }
        }
        return Optional.empty();
    }

    private static RankLayout way(LoadOptions options, ProcessGroup group, Distribution distribution, String why) {
        return new RankLayout(group.rank(), group.size(), distribution, why,
                distribution == Distribution.LOCAL ? options.shards() : Optional.empty());
    }
}
