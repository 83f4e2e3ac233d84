package io.fastsafetensors.group.transport;

import io.fastsafetensors.group.Bootstrap;
import java.time.Duration;
import java.util.BitSet;

/// The properties of one rank's membership in a group.
///
/// @param transport the transport's name
/// @param rank this rank
/// @param size how many ranks
/// @param timeout how long to wait for the others
/// @param deviceType the memory that is moved
public record Membership(String transport, int rank, int size, Duration timeout, String deviceType) {
    /// @throws IllegalArgumentException as [Bootstrap#requireTimeout(Duration)]
    public Membership {
        Bootstrap.requireTimeout(timeout);
    }

    /// As a bootstrap says.
    public static Membership of(String transport, Bootstrap bootstrap, String deviceType) {
        return new Membership(transport, bootstrap.rank(), bootstrap.size(), bootstrap.timeout(), deviceType);
    }

    /// `rank 3` or `ranks 3, 5`, for messages.
    ///
    /// @param ranks at least one
    public static String names(BitSet ranks) {
        String numbers = ranks.toString();
        return (ranks.cardinality() == 1 ? "rank " : "ranks ") + numbers.substring(1, numbers.length() - 1);
    }

    /// `within 1.5 s`, for messages.
    public String withinTimeout() {
        return "within " + timeout.toMillis() / 1e3 + " s";
    }
}
