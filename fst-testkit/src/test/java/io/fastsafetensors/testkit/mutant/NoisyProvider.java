package io.fastsafetensors.testkit.mutant;

import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.testkit.host.HostProvider;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// Prints past `System.out`, as native code does; in processes of its own only, since it is registered for all tests.
public final class NoisyProvider extends Forwarding.OfProvider {
    /// For [java.util.ServiceLoader].
    public NoisyProvider() {
        super(HostProvider.copying());
    }

    @Override
    public String name() {
        return "noisy";
    }

    @Override
    public Probe probe() {
        if (System.getProperty("sun.java.command", "").contains("ProbeProcess")) {
            // The stream is not closed: the descriptor is the process's.
            FileOutputStream standardError = new FileOutputStream(FileDescriptor.err);
            try {
                standardError.write("libnoisy: no configuration file\n".getBytes(StandardCharsets.UTF_8));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return super.probe();
    }
}
