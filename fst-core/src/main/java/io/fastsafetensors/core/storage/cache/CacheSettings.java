package io.fastsafetensors.core.storage.cache;

import io.fastsafetensors.error.ConfigException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.storage.StorageOptions;
import io.fastsafetensors.types.ByteSize;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;

import org.jspecify.annotations.Nullable;

/// The place of the cache and its bound. Each setting is a storage property, else the system property of that name
/// with `fst.` before it, else, for the directory, the variable `FST_CACHE`. Immutable.
///
/// Also the key of [CacheDirectory#of]: equal settings share an object, and with it the count of what is under way.
///
/// @param directory where entries are
/// @param bytes the most bytes of all entries, [#AUTOMATIC] for half of what the file system would have free without them
public record CacheSettings(Path directory, long bytes) {
    /// Half of what would be free.
    static final long AUTOMATIC = -1;

    /// The settings; empty if nothing is cached.
    ///
    /// @param own the directory that a storage has for this by its own convention, which switches the cache on for it
    /// @throws ConfigException if a setting cannot be understood
    public static Optional<CacheSettings> of(StorageOptions options, Optional<Path> own) {
        return of(options, own, System::getenv);
    }

    /// @param environment the variables by name, for tests
    static Optional<CacheSettings> of(StorageOptions options, Optional<Path> own,
            Function<String, @Nullable String> environment) {
        Optional<String> directory = property(options, "cache.directory")
                .or(() -> Optional.ofNullable(environment.apply("FST_CACHE")).filter(text -> !text.isBlank()));
        String wanted = property(options, "cache").orElse("").toLowerCase(Locale.ROOT);
        boolean on = switch (wanted) {
            case "on", "true", "1", "yes" -> true;
            case "off", "false", "0", "no" -> false;
            case "" -> directory.isPresent() || own.isPresent();
            default -> throw bad("cache", "on or off");
        };
        if (!on) {
            return Optional.empty();
        }
        long bytes = property(options, "cache.bytes").map(CacheSettings::size).orElse(AUTOMATIC);
        try {
            Path path = directory.map(Path::of).or(() -> own).orElseGet(() -> preset(environment));
            return Optional.of(new CacheSettings(path.toAbsolutePath().normalize(), bytes));
        } catch (InvalidPathException _) {
            throw bad("cache.directory", "a path");
        }
    }

    /// Where the XDG specification wants caches.
    private static Path preset(Function<String, @Nullable String> environment) {
        String base = environment.apply("XDG_CACHE_HOME");
        return (base == null || base.isBlank() ? Path.of(System.getProperty("user.home", "."), ".cache")
                : Path.of(base)).resolve("fst").resolve("remote");
    }

    /// Blank is as good as unset: scripts pass variables that are empty.
    private static Optional<String> property(StorageOptions options, String name) {
        return options.property(name).or(() -> Optional.ofNullable(System.getProperty("fst." + name)))
                .map(String::strip).filter(text -> !text.isEmpty());
    }

    private static long size(String text) {
        try {
            return ByteSize.parse(text);
        } catch (IllegalArgumentException _) {
            throw bad("cache.bytes", "a size such as 200GiB");
        }
    }

    private static ConfigException bad(String name, String wanted) {
        return new ConfigException("storage property " + name + " (or system property fst." + name + ") should be "
                + wanted, Where.nowhere());
    }
}
