package io.fastsafetensors.api;

import io.fastsafetensors.spi.Probe;
import io.fastsafetensors.types.Location;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// Reports the abilities of this machine and this class path: the facts behind `fst doctor`.
public final class Diagnostics {
    private Diagnostics() {
    }

    /// Every backend on the path, best first. A provider that cannot even be constructed is listed as unavailable.
    public static List<BackendReport> backends() {
        return LoaderProvider.instance().backends();
    }

    /// Every process-group transport on the path.
    public static List<GroupReport> groups() {
        return LoaderProvider.instance().groups();
    }

    /// As [#storage(Location, OpenOptions)], with the defaults.
    public static List<StorageReport> storage(Location checkpoint) {
        return storage(checkpoint, OpenOptions.defaults());
    }

    /// How each file of a checkpoint would be read, and why.
    ///
    /// @param options as for the load that this is about
    public static List<StorageReport> storage(Location checkpoint, OpenOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().storage(checkpoint, options);
    }

    /// As [#storage(Location)].
    public static List<StorageReport> storage(Path checkpoint) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        return storage(Location.of(checkpoint));
    }

    /// Where the digest of each file of a checkpoint is found that [LoaderBuilder#digests(Digests)] would compare it with, in a
    /// few words, such as `SHA256SUMS`. Files without one are not in it.
    ///
    /// @param options as for the load that this is about
    public static Map<Location, String> digests(Location checkpoint, OpenOptions options, Digests digests) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        Objects.requireNonNull(digests, "digests");
        return LoaderProvider.instance().digests(checkpoint, options, digests);
    }

    /// As [#evict(Location, OpenOptions)], with the defaults.
    public static void evict(Location checkpoint) {
        evict(checkpoint, OpenOptions.defaults());
    }

    /// Evicts the files of a checkpoint from the page cache, for measurements of cold loads. Pages in use may
    /// stay.
    ///
    /// @param options as for the load that this is about
    /// @throws io.fastsafetensors.error.UnsupportedFeatureException if their storage cannot do this
    public static void evict(Location checkpoint, OpenOptions options) {
        Objects.requireNonNull(checkpoint, "checkpoint");
        Objects.requireNonNull(options, "options");
        LoaderProvider.instance().evict(checkpoint, options);
    }

    /// What the cache of remote files holds, the file that was used last first.
    ///
    /// @param options say where it is, by the storage property `cache.directory`
    public static List<CachedFile> cache(OpenOptions options) {
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().cache(options);
    }

    /// Removes from the cache of remote files those that were not used for the longest time. Loads that are reading them
    /// fetch again what they need.
    ///
    /// @param options say where it is, by the storage property `cache.directory`
    /// @param bytes the most that is to be left
    /// @return how many bytes are left
    public static long pruneCache(OpenOptions options, long bytes) {
        Objects.requireNonNull(options, "options");
        return LoaderProvider.instance().pruneCache(options, bytes);
    }

    /// A remote file in the cache.
    ///
    /// @param location where it is from, without what may be secret
    /// @param version which version of it, such as an ETag
    /// @param fileBytes its length
    /// @param heldBytes what its entry takes on the disk
    /// @param lastUsed when it was opened or written for the last time
    public record CachedFile(String location, String version, long fileBytes, long heldBytes, Instant lastUsed) {
    }

    /// A backend.
    ///
    /// @param name its name
    /// @param deviceType the device type it serves
    /// @param priority its priority
    /// @param probe what it found
    public record BackendReport(String name, String deviceType, int priority, Probe probe) {
    }

    /// A transport.
    ///
    /// @param name its name
    /// @param unavailable why it does not work here, empty if it does
    public record GroupReport(String name, Optional<String> unavailable) {
    }

    /// A file's storage.
    ///
    /// @param file the file; of a local one its path, symbolic links resolved
    /// @param fileSystem the kind of its storage: a file system's type, or such as `s3`
    /// @param byteSize its length
    /// @param cachedBytes how much of it is in the page cache, −1 if unknown
    /// @param direct whether it can be read past the page cache
    /// @param reason how it would be read, and why
    public record StorageReport(Location file, String fileSystem, long byteSize, long cachedBytes, boolean direct,
            String reason) {
    }
}
