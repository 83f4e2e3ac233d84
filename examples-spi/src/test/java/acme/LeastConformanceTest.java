package acme;

import acme.least.LeastProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;

class LeastConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new LeastProvider();
    }
}
