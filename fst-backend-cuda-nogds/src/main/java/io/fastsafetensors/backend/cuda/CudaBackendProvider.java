package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.jcuda.JCudaLoader;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.ByteSize;
import io.fastsafetensors.types.Device;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Serves `cuda:N` where there is an NVIDIA driver, in the driver's order: `CUDA_VISIBLE_DEVICES` and
/// `CUDA_DEVICE_ORDER` have their usual meaning.
///
/// The backend property `keptDeviceBytes` is the most device memory that the backend keeps for later loads after it was
/// released, for 10 seconds after its last use: a size such as `8GiB`, `0` for none, half of the device's memory by default.
public final class CudaBackendProvider implements BackendProvider {
    private static final String KEPT = "keptDeviceBytes";

    private final Supplier<CudaMachine> machine;

    /// Costs nothing; [#probe()] loads the driver.
    public CudaBackendProvider() {
        this(() -> ThisMachine.FOUND);
    }

    /// @param machine always the same one
    CudaBackendProvider(Supplier<CudaMachine> machine) {
        this.machine = machine;
    }

    @Override
    public String name() {
        return CudaBackend.NAME;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return CudaBackend.DEVICE_TYPE;
    }

    @Override
    public int priority() {
        return 100;
    }

    /// Starts the driver, but creates no context on any device.
    @Override
    public Probe probe() {
        return machine.get().probe();
    }

    /// Retains the device's primary context.
    ///
    /// @throws BackendException if `keptDeviceBytes` is no size, or the driver refuses the device
    @Override
    public Backend open(Device device, BackendOptions options) {
        return machine.get().open(device, keptBytes(options.properties().get(KEPT)));
    }

    private static long keptBytes(@Nullable String text) {
        if (text == null) {
            return -1;
        }
        try {
            return ByteSize.parse(text);
        } catch (IllegalArgumentException e) {
            throw new BackendException(KEPT + ": " + e.getMessage(), Where.backend(CudaBackend.NAME), e);
        }
    }

    private static final class ThisMachine {
        static final CudaMachine FOUND = CudaMachine.find(() -> {
            CudaMachine.obstacle(System.getProperty("os.name"), System.getProperty("os.arch")).ifPresent(reason -> {
                throw new UnsupportedFeatureException(reason, Where.nowhere());
            });
            return JCudaLoader.load();
        }, PciFacts.OF_LINUX, () -> Map.of("jcuda", JCudaLoader.version()));
    }
}
