package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.ContextBackend;
import io.fastsafetensors.backend.cuda.CudaBackendProvider;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibCFfm;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.spi.BackendOptions;
import io.fastsafetensors.spi.BackendProvider;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.spi.SpiVersion;
import io.fastsafetensors.types.Device;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Supplier;

/// Serves `cuda:N` as the backend `cuda` does, and reads files by NVIDIA's cuFile (GPUDirect Storage) where that is
/// installed. Knows the switches of `cuda`.
///
/// Which files it reads, and whether by DMA or by cuFile's own copies through the host (compatibility mode), its
/// [io.fastsafetensors.spi.DirectStorage#support] tells for each. Loading the library is all that [#probe()] does; its
/// driver is opened by the first such question, since that takes a good part of a second.
public final class GdsBackendProvider implements BackendProvider {
    static final String NAME = "cuda-gds";

    /// Where direct reads are possible: before copies through the host.
    private static final int DIRECT = 200;
    /// Where there is only compatibility mode: after the backend `cuda` (100), whose own copies are faster.
    private static final int COMPATIBILITY = 90;

    private final BackendProvider cuda;
    private final Function<Backend, CurrentContext> contexts;
    private final Supplier<CuFileLibrary> library;
    private final HostSetup host;

    /// Costs nothing; [#probe()] loads the libraries.
    public GdsBackendProvider() {
        this(new CudaBackendProvider(), backend -> CurrentContext.of((ContextBackend) backend),
                CuFileLibrary::ofThisProcess, HostSetup.ofThisMachine());
    }

    /// @param cuda the backend that is decorated
    /// @param contexts the context of a backend that it opened
    /// @param library always the same one
    GdsBackendProvider(BackendProvider cuda, Function<Backend, CurrentContext> contexts,
            Supplier<CuFileLibrary> library, HostSetup host) {
        this.cuda = cuda;
        this.contexts = contexts;
        this.library = library;
        this.host = host;
    }

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public int spiVersion() {
        return SpiVersion.CURRENT;
    }

    @Override
    public String deviceType() {
        return cuda.deviceType();
    }

    /// 200 where nvidia-fs is loaded or cuFile is told to use PCI P2PDMA; 90 elsewhere, below the 100 of `cuda`: cuFile
    /// then copies through the host, which `cuda` does faster.
    @Override
    public int priority() {
        return host.mayReadDirectly() ? DIRECT : COMPATIBILITY;
    }

    @Override
    public Probe probe() {
        Probe needed = cuda.probe();
        if (needed.found().isEmpty()) {
            String reason = "it needs the backend " + cuda.name() + ": " + needed.obstacle().orElse("");
            return unavailable(reason, needed.cause());
        }
        Probe.Available found = needed.found().get();
        return library.get().driver().<Probe>map(driver -> with(driver, found)).orElseGet(this::withoutLibrary);
    }

    private Probe with(CuFileDriver driver, Probe.Available found) {
        Map<String, String> versions = new HashMap<>(found.versions());
        versions.put("cuFile", driver.version() + (host.hasNvidiaFs() ? " with nvidia-fs"
                : host.asksForP2pDma() ? " told to use PCI P2PDMA" : " in compatibility mode (no nvidia-fs)"));
        return found.with(Capability.DIRECT_STORAGE).withVersions(versions);
    }

    private Probe withoutLibrary() {
        Optional<Throwable> why = library.get().obstacle();
        return unavailable("libcufile cannot be used: " + why.map(Throwable::getMessage).orElse("")
                + "; it comes with the CUDA toolkit (package libcufile or gds-tools)", why);
    }

    private static Probe unavailable(String reason, Optional<Throwable> cause) {
        return cause.map(why -> Probe.unavailable(reason, why)).orElseGet(() -> Probe.unavailable(reason));
    }

    @Override
    public Backend open(Device device, BackendOptions options) {
        CuFileDriver driver = library.get().driver().orElseThrow(() -> new UnsupportedFeatureException(
                withoutLibrary().obstacle().orElse(""), Where.backend(NAME)));
        Backend delegate = openCuda(device, options);
        CurrentContext context = contexts.apply(delegate);
        BufferRegistrations registrations = new BufferRegistrations(driver.cuFile(), context);
        return new GdsBackend(delegate, registrations,
                lifetime -> new GdsStorage(driver, new DescriptorLibCFfm(), context,
                        host, registrations, lifetime));
    }

    /// Users know the backend by the name that they chose.
    private Backend openCuda(Device device, BackendOptions options) {
        try {
            return cuda.open(device, options);
        } catch (BackendException e) {
            throw new BackendException(CuFileStatus.detailOf(e), Where.backend(NAME), e);
        }
    }
}
