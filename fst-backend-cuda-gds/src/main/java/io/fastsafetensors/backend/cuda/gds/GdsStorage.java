package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.backend.cuda.gds.ffm.DescriptorLibC;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.DirectFile;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.base.Lifetime;
import io.fastsafetensors.spi.storage.StorageFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;

/// Files by cuFile. The first question opens the library's driver.
final class GdsStorage implements DirectStorage {
    private final CuFileDriver driver;
    private final HostSetup host;
    private final OpenHandle.Libraries libraries;
    private final BufferRegistrations registrations;
    private final Lifetime lifetime;

    /// @param registrations those of the backend's buffers
    /// @param lifetime the backend's, with which files are closed
    GdsStorage(CuFileDriver driver, DescriptorLibC c, CurrentContext cuda, HostSetup host,
            BufferRegistrations registrations, Lifetime lifetime) {
        this.driver = driver;
        this.host = host;
        this.libraries = new OpenHandle.Libraries(c, driver.cuFile(), cuda);
        this.registrations = registrations;
        this.lifetime = lifetime;
    }

    /// Registers the file for a moment: nothing else tells whether cuFile takes it.
    @Override
    public Support support(StorageFile file) {
        try {
            return lifetime.using(() -> look(file));
        } catch (BackendException e) {
            return Support.of(Mode.NONE, CuFileStatus.detailOf(e));
        }
    }

    private Support look(StorageFile file) {
        CuFileDrvProps properties = driver.open(libraries.cuda());
        OpenHandle.open(libraries, file).close();
        Support found = new Transport(host.hasNvidiaFs(), properties).support(mediumOf(file));
        return registrations.refusal()
                .map(why -> Support.of(found.mode(), found.reason() + "; memory is not registered: " + why))
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
        return lifetime.using(() -> {
            driver.open(libraries.cuda());
            return new GdsFile(OpenHandle.where(file), file.length(), OpenHandle.open(libraries, file), registrations,
                    lifetime);
        });
    }
}
