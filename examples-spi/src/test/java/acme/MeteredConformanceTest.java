package acme;

import acme.metered.MeteredProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;

class MeteredConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new MeteredProvider();
    }
}
