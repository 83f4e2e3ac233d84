package io.fastsafetensors.backend.cpu;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.spi.ffm.NativeAccess;
import io.fastsafetensors.spi.SystemMemory;
import io.fastsafetensors.types.Device;
import java.nio.ByteOrder;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// Serves `cpu` on every little-endian machine. Knows no switches.
public final class CpuBackendProvider implements BackendProvider {
    private static final Set<Capability> CAPABILITIES = EnumSet.of(Capability.HOST_ADDRESSABLE, Capability.KERNELS,
            Capability.POINTERS);

    /// Costs nothing; [#probe()] looks at the machine.
    public CpuBackendProvider() {
    }

    @Override
    public String name() {
        return CpuBackend.NAME;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return Device.CPU.type();
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Probe probe() {
        return probe(ByteOrder.nativeOrder());
    }

    static Probe probe(ByteOrder order) {
        Optional<String> obstacle = HostFacts.obstacle(order);
        if (obstacle.isPresent()) {
            return Probe.unavailable(obstacle.get());
        }
        HostFacts facts = HostFacts.ofThisMachine();
        return Probe.available(List.of(facts.info())).with(CAPABILITIES).withVersions(
                Map.of("java", Runtime.version().toString(), "memory", facts.memory().description()));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        if (!device.equals(Device.CPU)) {
            throw new BackendException("no device " + device.type() + ":" + device.index() + "; there is only cpu",
                    Where.backend(CpuBackend.NAME));
        }
        HostFacts.obstacle(ByteOrder.nativeOrder()).ifPresent(reason -> {
            throw new BackendException(reason, Where.backend(CpuBackend.NAME));
        });
        HostFacts facts = HostFacts.ofThisMachine();
        // Memory that is used again needs a new segment, which takes native access to make.
        HostMemory memory = NativeAccess.isAllowed() ? new RecycledMemory(facts.memory()) : facts.memory();
        return new CpuBackend(memory, facts.info(), SystemMemory.ofThisProcess());
    }
}
