package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.spi.Releases;
import java.util.EnumMap;
import java.util.Map;

/// A reader's landers, one for each way that its blocks take, made when the first such block comes.
final class ReaderTransfers implements BlockTransfer {
    private final LoadContext load;
    private final Map<Landing, BlockTransfer> byWay = new EnumMap<>(Landing.class);

    ReaderTransfers(LoadContext load) {
        this.load = load;
    }

    @Override
    public void land(int index) {
        Landing way = load.fileOf(index).landing();
        BlockTransfer lander = byWay.get(way);
        if (lander == null) {
            lander = make(way);
            byWay.put(way, lander);
        }
        lander.land(index);
    }

    private BlockTransfer make(Landing way) {
        return switch (way) {
            case IN_PLACE, MOVED -> new HostTransfer(load);
            case STAGED, DEQUANTIZED -> new StagedTransfer(load);
            case MAPPED -> new MappedTransfer(load);
            case DIRECT -> new DirectTransfer(load);
        };
    }

    @Override
    public void finish() {
        byWay.values().forEach(BlockTransfer::finish);
    }

    @Override
    public void close() {
        Releases releases = new Releases();
        byWay.values().forEach(lander -> releases.run(lander::close));
        releases.finish();
    }
}
