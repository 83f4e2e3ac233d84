package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileDrvProps;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/// The library's driver, of which a process has one. Opened by the first who needs it, since that takes a good part of
/// a second, and never closed: other users of the library in this process share it, reads may be under way when the
/// process ends, and the kernel takes everything back then. An attempt that failed is not repeated. Thread-safe.
final class CuFileDriver {
    private final CuFile cuFile;
    private Optional<CuFileDrvProps> properties = Optional.empty();
    private String obstacle = "";

    CuFileDriver(CuFile cuFile) {
        this.cuFile = cuFile;
    }

    /// The library.
    CuFile cuFile() {
        return cuFile;
    }

    /// The library's version in words; does not open the driver.
    String version() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment version = arena.allocate(ValueLayout.JAVA_INT);
            CuFileError error = cuFile.cuFileGetVersion(version);
            int number = version.get(ValueLayout.JAVA_INT, 0);
            return error.err() != 0 ? "unknown (status " + error.err() + ")"
                    : number / 1000 + "." + number % 1000 / 10;
        } catch (UnsupportedFeatureException _) {
            return "before 1.8";
        }
    }

    /// Opens the driver unless it is open.
    ///
    /// @param cuda the device that needs it first
    /// @return what the driver can do
    /// @throws BackendException if it cannot be opened, with the reason
    synchronized CuFileDrvProps open(CurrentContext cuda) {
        if (properties.isEmpty() && obstacle.isEmpty()) {
            properties = cuda.with(() -> openNow(cuda));
        }
        return properties
                .orElseThrow(() -> new BackendException(obstacle, Where.backend(GdsBackendProvider.NAME)));
    }

    private Optional<CuFileDrvProps> openNow(CurrentContext cuda) {
        CuFileError opened = cuFile.cuFileDriverOpen();
        if (opened.err() != 0 && opened.err() != CuFileStatus.DRIVER_ALREADY_OPEN.code()) {
            obstacle = CuFileStatus.describe("cuFileDriverOpen", opened, cuda);
            return Optional.empty();
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment props = arena.allocate(CuFileDrvProps.LAYOUT);
            CuFileError got = cuFile.cuFileDriverGetProperties(props);
            if (got.err() != 0) {
                obstacle = CuFileStatus.describe("cuFileDriverGetProperties", got, cuda);
                return Optional.empty();
            }
            return Optional.of(CuFileDrvProps.of(props));
        }
    }
}
