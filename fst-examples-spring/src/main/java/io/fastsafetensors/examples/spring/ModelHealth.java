package io.fastsafetensors.examples.spring;

import org.springframework.boot.actuate.health.Health;
import org.springframework.boot.actuate.health.HealthIndicator;
import org.springframework.stereotype.Component;

/// Says at `/actuator/health` how far the model is: out of service while it loads, down with fst's message if it failed.
@Component("modelHealthIndicator")
public class ModelHealth implements HealthIndicator {
    private final Model model;

    ModelHealth(Model model) {
        this.model = model;
    }

    @Override
    public Health health() {
        if (model.failure().isPresent()) {
            return Health.down(model.failure().get()).build();
        }
        return (model.isLoaded() ? Health.up() : Health.outOfService()).withDetail("bytesDone", model.bytesDone())
                .withDetail("bytesTotal", model.bytesTotal()).build();
    }
}
