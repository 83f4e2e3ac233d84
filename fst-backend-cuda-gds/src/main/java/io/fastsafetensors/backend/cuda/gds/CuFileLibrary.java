package io.fastsafetensors.backend.cuda.gds;

import io.fastsafetensors.backend.cuda.gds.ffm.CuFile;
import io.fastsafetensors.backend.cuda.gds.ffm.CuFileFfm;
import io.fastsafetensors.error.UnsupportedFeatureException;
import java.util.Optional;
import java.util.function.Supplier;

/// cuFile as this machine has it, or why it has not.
///
/// @param driver the library and its driver, not open yet
/// @param obstacle why there is none
record CuFileLibrary(Optional<CuFileDriver> driver, Optional<Throwable> obstacle) {
    /// Loads the library.
    ///
    /// @param loader gives it, or throws
    static CuFileLibrary find(Supplier<CuFile> loader) {
        try {
            return new CuFileLibrary(Optional.of(new CuFileDriver(loader.get())), Optional.empty());
        } catch (ExceptionInInitializerError e) {
            return without(e.getCause() == null ? e : e.getCause());
        } catch (UnsupportedFeatureException | IllegalCallerException | LinkageError e) {
            return without(e);
        }
    }

    private static CuFileLibrary without(Throwable why) {
        return new CuFileLibrary(Optional.empty(), Optional.of(why));
    }

    /// The one that this process uses; looked for once.
    static CuFileLibrary ofThisProcess() {
        return ThisProcess.FOUND;
    }

    private static final class ThisProcess {
        static final CuFileLibrary FOUND = find(CuFileFfm::new);
    }
}
