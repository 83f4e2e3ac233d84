package io.fastsafetensors.group.transport;

import io.fastsafetensors.group.Bootstrap;
import java.time.Duration;
import java.util.BitSet;

/// What a group of a transport is. Immutable; made by [#of(String, int, int, Duration, String)].
public final class Membership {
    private final String transport;
    private final int rank;
    private final int size;
    private final Duration timeout;
    private final String deviceType;

    private Membership(String transport, int rank, int size, Duration timeout, String deviceType) {
        this.transport = transport;
        this.rank = rank;
        this.size = size;
        this.timeout = Bootstrap.requireTimeout(timeout);
        this.deviceType = deviceType;
    }

    /// The membership of one rank.
    ///
    /// @param transport the transport's name
    /// @param rank this rank
    /// @param size how many ranks
    /// @param timeout how long to wait for the others
    /// @param deviceType the memory that is moved
    /// @throws IllegalArgumentException as [Bootstrap#requireTimeout(Duration)]
    public static Membership of(String transport, int rank, int size, Duration timeout, String deviceType) {
        return new Membership(transport, rank, size, timeout, deviceType);
    }

    /// As a bootstrap says.
    public static Membership of(String transport, Bootstrap bootstrap, String deviceType) {
        return new Membership(transport, bootstrap.rank(), bootstrap.size(), bootstrap.timeout(), deviceType);
    }

    /// The transport's name.
    public String transport() {
        return transport;
    }

    /// This rank.
    public int rank() {
        return rank;
    }

    /// How many ranks.
    public int size() {
        return size;
    }

    /// How long to wait for the others.
    public Duration timeout() {
        return timeout;
    }

    /// The memory that is moved.
    public String deviceType() {
        return deviceType;
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
