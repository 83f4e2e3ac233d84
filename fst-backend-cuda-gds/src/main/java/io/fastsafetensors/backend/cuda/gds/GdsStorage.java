package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.spi.storage.StorageFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// Files by cuFile. The first question opens the library's driver.
final class GdsStorage implements DirectStorage, AutoCloseable {
    private final CuFileDriver driver;
    private final HostSetup host;
    private final OpenHandle.Libraries libraries;
    private final BufferRegistrations registrations;
    private final Set<GdsFile> open = ConcurrentHashMap.newKeySet();
    private final UseLock lock = new UseLock("the " + GdsBackendProvider.NAME + " backend");

    /// @param registrations those of the backend's buffers
    GdsStorage(CuFileDriver driver, DescriptorLibC c, CurrentContext cuda, HostSetup host,
            BufferRegistrations registrations) {
        this.driver = driver;
        this.host = host;
        this.libraries = new OpenHandle.Libraries(c, driver.cuFile(), cuda);
        this.registrations = registrations;
    }

    /// Registers the file for a moment: nothing else tells whether cuFile takes it.
    @Override
    public Support support(StorageFile file) {
        try {
            return lock.using(() -> look(file));
        } catch (BackendException e) {
            return new Support(Mode.NONE, CuFileStatus.detailOf(e));
        }
    }

    private Support look(StorageFile file) {
        CuFileDrvProps properties = driver.open(libraries.cuda());
        OpenHandle.open(libraries, file).close();
        Support found = new Transport(host.hasNvidiaFs(), properties).support(mediumOf(file));
        return registrations.refusal()
                .map(why -> new Support(found.mode(), found.reason() + "; memory is not registered: " + why))
                .orElse(found);
    }

    private Medium mediumOf(StorageFile file) {
        try {
            return Medium.of(OpenHandle.pathOf(file), host.sys());
        } catch (IOException | UncheckedIOException e) {
            return new Medium("unknown filesystem", "unknown drive (" + e + ")", Medium.Kind.OTHER);
        }
    }

    @Override
    public DirectFile open(StorageFile file) {
        return lock.using(() -> {
            driver.open(libraries.cuda());
            return new GdsFile(OpenHandle.where(file), file.length(), OpenHandle.open(libraries, file), registrations,
                    open);
        });
    }

    /// Closes the files that are still open.
    @Override
    public void close() {
        lock.close(() -> {
            Releases releases = new Releases();
            List.copyOf(open).forEach(file -> releases.run(file::close));
            releases.finish();
        });
    }
}
