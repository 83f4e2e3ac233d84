package acme.board;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.group.ProcessGroupProvider;
import io.fastsafetensors.group.transport.Membership;
import io.fastsafetensors.group.transport.TransportGroup;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.List;
import java.util.stream.IntStream;

/// The transport `board` between threads of this JVM. It moves memory of every device, by way of arrays.
public final class BoardProvider implements ProcessGroupProvider {
    @Override
    public String name() {
        return "board";
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public List<ProcessGroup> local(List<Device> devices, Duration timeout) {
        Board board = new Board(devices.size());
        return IntStream.range(0, devices.size()).<ProcessGroup> mapToObj(rank -> {
            Membership membership =
                    Membership.of(name(), rank, devices.size(), timeout, devices.get(rank).type());
            BoardRank mine = new BoardRank(board, membership);
            return new TransportGroup(membership, mine.state, mine, mine);
        }).toList();
    }
}
