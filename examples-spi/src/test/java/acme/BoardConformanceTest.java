package acme;

import acme.board.BoardProvider;
import acme.least.LeastProvider;
import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.testkit.ProcessGroupConformance;
import io.fastsafetensors.types.Device;
import java.time.Duration;
import java.util.Collections;
import java.util.List;

class BoardConformanceTest extends ProcessGroupConformance {
    private static final Device DEVICE = new Device("least", 0);

    @Override
    protected String transport() {
        return "board";
    }

    @Override
    protected List<ProcessGroup> groups(int size, Duration timeout) {
        return new BoardProvider().local(Collections.nCopies(size, DEVICE), timeout);
    }

    @Override
    protected Backend open(int rank) {
        return new LeastProvider().open(DEVICE, BackendOptions.defaults());
    }
}
