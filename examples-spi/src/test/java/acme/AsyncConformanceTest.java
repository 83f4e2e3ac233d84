package acme;

import acme.async.AsyncProvider;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.testkit.BackendConformance;

class AsyncConformanceTest extends BackendConformance {
    @Override
    protected BackendProvider provider() {
        return new AsyncProvider();
    }
}
