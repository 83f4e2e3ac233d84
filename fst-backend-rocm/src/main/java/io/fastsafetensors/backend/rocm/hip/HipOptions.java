package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.BackendOptions;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Optional;

/// The backend's switches.
///
/// @param codeObject a compiled code object to take the kernels from, instead of compiling them
/// @param cache where compiled kernels are kept, empty for nowhere
record HipOptions(Optional<Path> codeObject, Optional<KernelCache> cache) {
    /// The path of a code object with the shared kernels.
    static final String CODE_OBJECT = "hip.codeObject";
    /// `on` (default), `off`, or the path of a folder.
    static final String KERNEL_CACHE = "hip.kernelCache";

    /// @throws BackendException if a switch has a value that means nothing
    static HipOptions of(BackendOptions options) {
        String cache = options.properties().getOrDefault(KERNEL_CACHE, "on");
        Optional<Path> folder = switch (cache) {
            case "on" -> KernelCache.usersFolder(System.getenv("XDG_CACHE_HOME"), System.getProperty("user.home", ""));
            case "off" -> Optional.empty();
            default -> Optional.of(path(KERNEL_CACHE, cache));
        };
        return new HipOptions(Optional.ofNullable(options.properties().get(CODE_OBJECT))
                .map(text -> path(CODE_OBJECT, text)), folder.map(KernelCache::new));
    }

    private static Path path(String property, String text) {
        try {
            Path path = Path.of(text);
            if (path.isAbsolute()) {
                return path;
            }
        } catch (InvalidPathException e) {
            throw new BackendException(property + " is no path: " + e.getMessage(),
                    Where.backend(HipRuntime.BACKEND), e);
        }
        throw new BackendException(property + " is no absolute path: \"" + text + "\"",
                Where.backend(HipRuntime.BACKEND));
    }
}
