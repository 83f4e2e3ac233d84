package io.fastsafetensors.backend.rocm.hip;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.kernel.KernelSource;
import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.function.Function;

/// Where a device's kernels come from: a code object that the user names, the cache, or the compiler. Thread-safe.
final class KernelCode {
    private static final Logger LOG = System.getLogger("io.fastsafetensors.backend.rocm");

    private final HipOptions options;
    private final Optional<KernelCompiler> compiler;
    private final int version;

    private KernelCode(HipOptions options, Optional<KernelCompiler> compiler, int version) {
        this.options = options;
        this.compiler = compiler;
        this.version = version;
    }

    /// The code's source, empty if there is none.
    ///
    /// @param version the runtime's; what another one compiled is not used
    static Optional<KernelCode> of(HipOptions options, Optional<KernelCompiler> compiler, int version) {
        return options.codeObject().isPresent() || compiler.isPresent()
                ? Optional.of(new KernelCode(options, compiler, version)) : Optional.empty();
    }

    /// Loads the code for an architecture.
    ///
    /// @param loader loads a code object, or throws [BackendException] if the device does not take it; what is cached
    ///        and not taken is compiled anew
    <T> T load(String arch, Function<byte[], T> loader) {
        if (options.codeObject().isPresent()) {
            return loader.apply(read(options.codeObject().get()));
        }
        String key = key(arch);
        Optional<byte[]> cached = options.cache().flatMap(cache -> cache.read(key));
        if (cached.isPresent()) {
            try {
                return loader.apply(cached.get());
            } catch (BackendException e) {
                LOG.log(Level.DEBUG, () -> "the kernels cached as " + key + " do not load; compiled anew", e);
            }
        }
        byte[] code = compiler.orElseThrow().compile(arch);
        T loaded = loader.apply(code);
        options.cache().ifPresent(cache -> cache.write(key, code));
        return loaded;
    }

    private String key(String arch) {
        return KernelSource.digest() + "-" + arch.replaceAll("[^A-Za-z0-9+-]", "_") + "-" + version;
    }

    private static byte[] read(Path file) {
        try {
            return Files.readAllBytes(file);
        } catch (IOException e) {
            throw new BackendException(
                    "the code object of " + HipOptions.CODE_OBJECT + " cannot be read: " + e,
                    Where.file(file).withBackend(HipRuntime.BACKEND), e);
        }
    }
}
