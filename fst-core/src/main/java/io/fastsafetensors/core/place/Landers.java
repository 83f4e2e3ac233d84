package io.fastsafetensors.core.place;

import io.fastsafetensors.core.plan.PlannedFile.Landing;
import io.fastsafetensors.spi.Releases;
import java.util.EnumMap;
import java.util.Map;

/// A reader's landers, one for each way that its blocks take, made when the first such block comes.
final class Landers implements Lander {
    private final LoadContext load;
    private final Map<Landing, Lander> byWay = new EnumMap<>(Landing.class);

    Landers(LoadContext load) {
        this.load = load;
    }

    @Override
    public void land(int index) {
        Landing way = load.fileOf(index).landing();
        Lander lander = byWay.get(way);
        if (lander == null) {
            lander = make(way);
            byWay.put(way, lander);
        }
        lander.land(index);
    }

    private Lander make(Landing way) {
        return switch (way) {
            case IN_PLACE, MOVED -> new HostLander(load);
            case STAGED, DEQUANTIZED -> new StagedLander(load);
            case MAPPED -> new MappedLander(load);
            case DIRECT -> new DirectLander(load);
        };
    }

    @Override
    public void finish() {
        byWay.values().forEach(Lander::finish);
    }

    @Override
    public void close() {
        Releases releases = new Releases();
        byWay.values().forEach(lander -> releases.run(lander::close));
        releases.finish();
    }
}
