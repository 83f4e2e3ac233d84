package io.fastsafetensors.testkit.rank;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.transport.TransportGroup;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

/// The transport `post` between threads: by way of arrays.
public final class PostProvider implements ProcessGroupProvider {
    /// For [java.util.ServiceLoader].
    public PostProvider() {
    }

    @Override
    public String name() {
        return "post";
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        Post post = new Post(devices.size(), true);
        Post data = new Post(devices.size(), true);
        return IntStream.range(0, devices.size()).<ProcessGroup>mapToObj(rank -> group(new PostRank(post, data,
                Membership.of("post", rank, devices.size(), timeout, devices.get(rank).type())))).toList();
    }

    static ProcessGroup group(PostRank rank) {
        return new TransportGroup(rank.membership(), rank.state, rank, rank);
    }
}
