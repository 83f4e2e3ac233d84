package io.fastsafetensors.core.transfer;

import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.spi.Releases;
import java.util.EnumMap;
import java.util.Map;

/// A reader's transfers, one for each way that its blocks take, made when the first such block comes.
final class ReaderTransfers implements BlockTransfer {
    private final LoadContext load;
    private final Map<PlannedPath, BlockTransfer> byWay = new EnumMap<>(PlannedPath.class);

    ReaderTransfers(LoadContext load) {
        this.load = load;
    }

    @Override
    public void transfer(int index) {
        PlannedPath way = load.fileOf(index).path();
        BlockTransfer transfer = byWay.get(way);
        if (transfer == null) {
            transfer = make(way);
            byWay.put(way, transfer);
        }
        transfer.transfer(index);
    }

    private BlockTransfer make(PlannedPath way) {
        return switch (way) {
            case IN_PLACE, MOVED -> new HostTransfer(load);
            case MAPPED_IN_PLACE -> new MappedInPlaceTransfer(load);
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
        byWay.values().forEach(transfer -> releases.run(transfer::close));
        releases.finish();
    }
}
