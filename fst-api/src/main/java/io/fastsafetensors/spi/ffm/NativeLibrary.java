package io.fastsafetensors.spi.ffm;

import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/// A native library, opened once and never unloaded. Thread-safe.
///
/// A binding keeps one in a `static final` field and each function's handle in another, so that calls are constant
/// folded; the C prototype stands above each handle.
public final class NativeLibrary {
    private static final Linker LINKER = Linker.nativeLinker();
    private static final Logger LOG = System.getLogger("io.fastsafetensors.spi");

    private final String name;
    private final SymbolLookup symbols;

    private NativeLibrary(String name, SymbolLookup symbols) {
        this.name = name;
        this.symbols = symbols;
    }

    /// The C library as this process sees it: where the system has `dlsym`, through the global scope, so that a
    /// preloaded library (a profiler, a fault injector) comes first as it does for C programs.
    public static NativeLibrary standard() {
        SymbolLookup library = LINKER.defaultLookup();
        return new NativeLibrary("libc", library.find("dlsym").map(GlobalScope::new).map(SymbolLookup.class::cast)
                .map(scope -> scope.or(library)).orElse(library));
    }

    /// Opens the first of the names that the system's loader finds.
    ///
    /// @param names file names or absolute paths, best first, such as `libcufile.so.0`, `libcufile.so`
    /// @throws UnsupportedFeatureException listing every name tried, or that native access is denied
    @SuppressWarnings("restricted")
    public static NativeLibrary open(String... names) {
        for (String candidate : names) {
            try {
                return new NativeLibrary(candidate, SymbolLookup.libraryLookup(candidate, Arena.global()));
            } catch (IllegalArgumentException e) {
                LOG.log(Level.DEBUG, e::getMessage);
            } catch (IllegalCallerException e) {
                throw NativeAccess.denied("the native library " + candidate, e);
            }
        }
        throw new UnsupportedFeatureException("native library not found; tried " + String.join(", ", names),
                Where.nowhere());
    }

    /// For probes: `NAME is installed` of the first name found, or what was tried. Never throws.
    public static String describe(String... names) {
        try {
            return open(names).name() + " is installed";
        } catch (UnsupportedFeatureException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /// The name under which it was found.
    public String name() {
        return name;
    }

    /// Binds a function.
    ///
    /// @throws UnsupportedFeatureException if the library does not have it
    public MethodHandle bind(String function, FunctionDescriptor descriptor, Linker.Option... options) {
        return find(function, descriptor, options).orElseThrow(
                () -> new UnsupportedFeatureException(name + " has no function " + function, Where.nowhere()));
    }

    /// Binds a function whose arguments (at most six) and result are integers or pointers, saving errno. Cheaper to
    /// bind than any other: see [WordFunction].
    ///
    /// @throws UnsupportedFeatureException if the library does not have it
    public WordFunction words(String function) {
        return new WordFunction(bind(function, WordFunction.SHAPE, Errno.option()));
    }

    /// Binds a function that some versions of the library lack.
    ///
    /// @throws UnsupportedFeatureException if native access is denied
    @SuppressWarnings("restricted")
    public Optional<MethodHandle> find(String function, FunctionDescriptor descriptor, Linker.Option... options) {
        try {
            return symbols.find(function).map(address -> LINKER.downcallHandle(address, descriptor, options));
        } catch (IllegalCallerException e) {
            throw NativeAccess.denied(name, e);
        }
    }

    /// The address of a data symbol.
    ///
    /// @throws UnsupportedFeatureException if the library does not have it
    public MemorySegment symbol(String symbol) {
        return symbols.find(symbol).orElseThrow(
                () -> new UnsupportedFeatureException(name + " has no symbol " + symbol, Where.nowhere()));
    }

    /// `dlsym(RTLD_DEFAULT, name)`.
    private static final class GlobalScope implements SymbolLookup {
        private static final long RTLD_DEFAULT = 0;

        // void *dlsym(void *handle, const char *symbol)
        private final WordFunction dlsym;

        @SuppressWarnings("restricted")
        GlobalScope(MemorySegment address) {
            try {
                dlsym = new WordFunction(LINKER.downcallHandle(address, WordFunction.SHAPE, Errno.option()));
            } catch (IllegalCallerException e) {
                throw NativeAccess.denied("libc", e);
            }
        }

        @Override
        public Optional<MemorySegment> find(String symbol) {
            try (Arena arena = Arena.ofConfined()) {
                long found = dlsym.call(RTLD_DEFAULT, arena.allocateFrom(symbol).address());
                return found == 0 ? Optional.empty() : Optional.of(MemorySegment.ofAddress(found));
            }
        }
    }
}
