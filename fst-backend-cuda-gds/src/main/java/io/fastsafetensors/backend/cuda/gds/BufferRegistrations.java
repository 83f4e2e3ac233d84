package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileError;
import io.fastsafetensors.error.Where;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The device memory that is registered with cuFile: each buffer that is read into, from its first read until it is
/// closed. Memory that cuFile refuses is read into all the same, by a detour inside the library. Thread-safe.
final class BufferRegistrations {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.backend.cuda.gds");
    private static final int NO_FLAGS = 0;

    private final CuFile cuFile;
    private final CurrentContext cuda;
    private final Map<GdsBuffer, Boolean> tried = new ConcurrentHashMap<>();
    private volatile @Nullable String refusal;

    BufferRegistrations(CuFile cuFile, CurrentContext cuda) {
        this.cuFile = cuFile;
        this.cuda = cuda;
    }

    /// Registers a buffer, if that is possible. The context is current, the buffer stays open meanwhile.
    void ensure(GdsBuffer buffer) {
        tried.computeIfAbsent(buffer, this::register);
    }

    private boolean register(GdsBuffer buffer) {
        CuFileError error = cuFile.cuFileBufRegister(buffer.address(), buffer.byteSize(), NO_FLAGS);
        if (error.err() == 0) {
            return true;
        }
        String why = CuFileStatus.describe("cuFileBufRegister", error, cuda);
        if (refusal == null) {
            refusal = why;
            LOG.log(Level.DEBUG, () -> "reading goes on without registered memory: " + why);
        }
        return false;
    }

    /// Ends the registration of a buffer, if there is one, before its memory is freed.
    ///
    /// @throws io.fastsafetensors.error.BackendException if cuFile does not end it
    void end(GdsBuffer buffer) {
        Boolean registered = tried.remove(buffer);
        if (registered == null || !registered) {
            return;
        }
        CuFileError error = cuda.with(() -> cuFile.cuFileBufDeregister(buffer.address()));
        if (error.err() != 0) {
            throw CuFileStatus.failure("cuFileBufDeregister", error, cuda,
                    Where.backend(GdsBackendProvider.NAME));
        }
    }

    /// Why memory could not be registered, the first time that happened.
    Optional<String> refusal() {
        return Optional.ofNullable(refusal);
    }
}
