package io.fastsafetensors.examples.spring;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;

/// Starts the service. `fst.checkpoint` names what it loads, `fst.device` where to.
@SpringBootApplication(proxyBeanMethods = false)
public class Service {
    /// Starts it.
    public static void main(String[] args) {
        SpringApplication.run(Service.class, args);
    }
}
