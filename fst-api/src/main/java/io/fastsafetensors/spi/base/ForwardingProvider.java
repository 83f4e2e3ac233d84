package io.fastsafetensors.spi.base;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;

/// Forwards everything to another provider; a subclass overrides what it changes.
public class ForwardingProvider implements BackendProvider {
    private final String name;
    private final BackendProvider delegate;

    /// A decorator that its users do not know by a name of its own.
    ///
    /// @param delegate who answers
    public ForwardingProvider(BackendProvider delegate) {
        this(delegate.name(), delegate);
    }

    /// A decorator with a name, which also stands in what opening a device throws. It takes the other provider's priority,
    /// and so is chosen by its name, or where that of the other one comes later in the alphabet.
    ///
    /// @param name what users ask for
    /// @param delegate who answers
    public ForwardingProvider(String name, BackendProvider delegate) {
        this.name = name;
        this.delegate = delegate;
    }

    /// Who answers.
    protected final BackendProvider delegate() {
        return delegate;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public String deviceType() {
        return delegate.deviceType();
    }

    @Override
    public int spiVersion() {
        return delegate.spiVersion();
    }

    @Override
    public int priority() {
        return delegate.priority();
    }

    @Override
    public Probe probe() {
        return delegate.probe();
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        try {
            return delegate.open(device, options);
        } catch (BackendException e) {
            if (name.equals(delegate.name())) {
                throw e;
            }
            throw new BackendException("the backend " + delegate.name() + ": " + e.getMessage(), Where.backend(name),
                    e);
        }
    }
}
