package io.fastsafetensors.backend.cuda;

import io.fastsafetensors.backend.cuda.driver.CudaDriver;
import io.fastsafetensors.spi.Releases;
import io.fastsafetensors.gpu.kernel.KernelPlan;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// The kernels of one backend, in two parts; each is loaded when the first of its functions is asked for: the driver
/// compiles it for its device then, and keeps the result on disk for the next process. Thread-safe.
final class KernelModule {
    private static final int LOG_BYTES = 8192;
    private static final Set<String> PAIRS = Set.copyOf(KernelPlan.pairFunctions());

    private final CudaContext context;
    private final CudaDriver driver;
    private final Part common = new Part("fst_kernels.ptx",
            KernelPlan.functions().stream().filter(name -> !PAIRS.contains(name)).toList());
    private final Part pairs = new Part("fst_pairs.ptx", KernelPlan.pairFunctions());

    KernelModule(CudaContext context) {
        this.context = context;
        this.driver = context.driver();
    }

    /// A function of the shared source.
    ///
    /// @throws io.fastsafetensors.error.BackendException if the driver cannot compile the kernels, with its words
    CudaDriver.Function function(String name) {
        Part part = PAIRS.contains(name) ? pairs : common;
        Loaded kernels = part.loaded;
        if (kernels == null) {
            kernels = load(part);
        }
        CudaDriver.Function function = kernels.functions.get(name);
        if (function == null) {
            throw new IllegalArgumentException("no kernel " + name);
        }
        return function;
    }

    private synchronized Loaded load(Part part) {
        Loaded kernels = part.loaded;
        if (kernels == null) {
            CudaDriver.Module module = compile(ptx(part.resource));
            try {
                kernels = new Loaded(module, functions(module, part.names));
            } catch (RuntimeException e) {
                Releases releases = new Releases();
                unload(module, releases);
                throw releases.because(e);
            }
            part.loaded = kernels;
        }
        return kernels;
    }

    private CudaDriver.Module compile(byte[] ptx) {
        CudaDriver.Module[] module = new CudaDriver.Module[1];
        byte[] log = new byte[LOG_BYTES];
        int result = context.query(() -> driver.cuModuleLoadDataEx(module, ptx, log));
        if (result != CudaDriver.CUDA_SUCCESS) {
            String words = new String(log, StandardCharsets.US_ASCII).replace("\0", "").strip();
            throw context.status().failure("cuModuleLoadDataEx", result, words);
        }
        return module[0];
    }

    private Map<String, CudaDriver.Function> functions(CudaDriver.Module module, List<String> names) {
        Map<String, CudaDriver.Function> functions = new HashMap<>();
        for (String name : names) {
            CudaDriver.Function[] function = new CudaDriver.Function[1];
            context.run("cuModuleGetFunction", () -> driver.cuModuleGetFunction(function, module, name));
            functions.put(name, function[0]);
        }
        return functions;
    }

    /// Unloads what was loaded.
    ///
    /// @param releases takes what goes wrong
    synchronized void close(Releases releases) {
        for (Part part : List.of(pairs, common)) {
            Loaded kernels = part.loaded;
            if (kernels != null) {
                part.loaded = null;
                unload(kernels.module, releases);
            }
        }
    }

    private void unload(CudaDriver.Module module, Releases releases) {
        releases.run(() -> context.run("cuModuleUnload", () -> driver.cuModuleUnload(module)));
    }

    private static byte[] ptx(String resource) {
        try (InputStream in = KernelModule.class.getResourceAsStream(resource)) {
            if (in == null) {
                throw new IllegalStateException("the jar of the CUDA backend is incomplete: no " + resource);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private record Loaded(CudaDriver.Module module, Map<String, CudaDriver.Function> functions) {
    }

    /// One of the two files.
    private static final class Part {
        private final String resource;
        private final List<String> names;
        private volatile @Nullable Loaded loaded;

        Part(String resource, List<String> names) {
            this.resource = resource;
            this.names = names;
        }
    }
}
