package io.fastsafetensors.examples.spring;

import io.fastsafetensors.api.Weights;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.binder.MeterBinder;
import org.springframework.stereotype.Component;

/// Gives Micrometer what a load tells of itself: `fst.load.bytes` (done), `fst.load.bytes.total`, and from its end on
/// `fst.load.seconds`.
@Component
public class ModelMetrics implements MeterBinder {
    private final Model model;

    ModelMetrics(Model model) {
        this.model = model;
    }

    @Override
    public void bindTo(MeterRegistry registry) {
        registry.gauge("fst.load.bytes", model, Model::bytesDone);
        registry.gauge("fst.load.bytes.total", model, Model::bytesTotal);
        registry.gauge("fst.load.seconds", model, ModelMetrics::seconds);
    }

    private static double seconds(Model model) {
        return model.isLoaded() ? model.weights().map(Weights::stats).orElseThrow().secondsAll() : Double.NaN;
    }
}
