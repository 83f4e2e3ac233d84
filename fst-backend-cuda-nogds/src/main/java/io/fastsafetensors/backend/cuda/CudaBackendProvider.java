package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.jcuda.JCudaLoader;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Device;
import java.util.Map;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Serves `cuda:N` where there is an NVIDIA driver, in the driver's order: `CUDA_VISIBLE_DEVICES` and
/// `CUDA_DEVICE_ORDER` have their usual meaning.
///
/// One switch: the property `keptDeviceBytes` is how much device memory that was given back is kept for the next load, for
/// 10 seconds after its last use; half of the device's memory unless set, `0` for none.
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
    @Override
    public Backend open(Device device, BackendOptions options) {
        return machine.get().open(device, keptBytes(options.properties().get(KEPT)));
    }

    private static long keptBytes(@Nullable String text) {
        try {
            long bytes = text == null ? -1 : Long.parseLong(text);
            if (text == null || bytes >= 0) {
                return bytes;
            }
        } catch (NumberFormatException e) {
            throw new IllegalArgumentException(KEPT + " is no number of bytes: " + text, e);
        }
        throw new IllegalArgumentException(KEPT + " is negative: " + text);
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
