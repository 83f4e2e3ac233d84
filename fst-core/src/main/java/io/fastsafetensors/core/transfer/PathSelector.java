package io.fastsafetensors.core.transfer;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.core.dequant.QuantizedReads;
import io.fastsafetensors.core.header.FileHeader;
import io.fastsafetensors.core.memory.SharedBackend;
import io.fastsafetensors.core.plan.PlannedFile.FileTransfer;
import io.fastsafetensors.core.plan.PlannedFile.PlannedPath;
import io.fastsafetensors.core.storage.SourceFile;
import io.fastsafetensors.core.storage.SourceFiles;
import io.fastsafetensors.core.transfer.MappedFiles.MappedFile;
import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Capability;
import io.fastsafetensors.spi.DeviceKind;
import io.fastsafetensors.spi.DirectStorage;
import io.fastsafetensors.spi.DirectStorage.Mode;
import io.fastsafetensors.spi.DirectStorage.Support;
import io.fastsafetensors.spi.storage.CacheResidency;
import io.fastsafetensors.spi.storage.Mapping;
import io.fastsafetensors.spi.storage.StorageFile;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Chooses the transfer path of each file, by what the user asked for and what works for that file.
///
/// The option decides first ([TransferPath]), then the abilities of device and file; the reason goes into
/// the plan and the load's report, so that a fallback is never silent. A path that the device cannot have at all is
/// an error where it was asked for; a file that cannot have it takes another one, unless `strictBackend` forbids
/// that.
///
/// A file is opened to be asked about its abilities, and released again: the load opens each once anyway, and
/// [SourceFiles] keeps it for that.
public final class PathSelector {
    private static final FileTransfer IN_PLACE = new FileTransfer(PlannedPath.IN_PLACE,
            "the host can address the memory and the file is aligned");

    /// Enough pages that what a block costs besides does not count, for as long as a drive reads them.
    private static final int MAPPED_BLOCK = 32 << 20;

    /// The same where pages are there already, which come at hundreds of gigabytes a second.
    private static final int CACHED_BLOCK = 128 << 20;

    private final LoadOptions options;
    private final SharedBackend backend;
    private final Set<Capability> capabilities;
    private final Optional<DirectStorage> direct;

    /// @param backend the device, held by the caller
    /// @param capabilities what it can do
    public PathSelector(LoadOptions options, SharedBackend backend, Set<Capability> capabilities) {
        this.options = options;
        this.backend = backend;
        this.capabilities = capabilities;
        this.direct = backend.get().directStorage();
        boolean able = switch (options.transferPath()) {
            case AUTO, STAGED -> true;
            case MAPPED -> isHostAddressable() ? isHostMemory()
                    : capabilities.contains(Capability.HOST_REGISTRATION);
            case DIRECT -> direct.isPresent();
        };
        if (!able) {
            throw new UnsupportedFeatureException("no transfer path " + options.transferPath()
                    + " on this device; use AUTO", Where.backend(backend.get().name()));
        }
    }

    private boolean isHostAddressable() {
        return capabilities.contains(Capability.HOST_ADDRESSABLE);
    }

    /// Whether the device works on any memory of the process, so that a mapping serves as a buffer of it.
    ///
    /// An integrated GPU, whose memory the host can address, does not do: its kernels see only what its driver
    /// allocated.
    private boolean isHostMemory() {
        return capabilities.contains(Capability.POINTERS) && backend.get().info().kind() == DeviceKind.CPU;
    }

    /// Whether files go through slots unless something speaks against it.
    public boolean stagesByDefault() {
        return options.transferPath() == TransferPath.STAGED
                || (options.transferPath() == TransferPath.AUTO && direct.isEmpty());
    }

    /// The transfer paths of these files; the caller closes them when the load has ended.
    ///
    /// In the order of the headers.
    ///
    /// @param sources where the headers were read from
    /// @param whole whether the files are loaded at once, rather than in batches
    /// @throws BackendException if direct storage is demanded and a file cannot have it, with the reason
    public FileTransfers route(List<FileHeader> headers, SourceFiles sources, boolean whole) {
        if (options.transferPath() == TransferPath.MAPPED && !isHostAddressable()) {
            return mapped(headers, sources);
        }
        List<FileTransfer> routes = new ArrayList<>(headers.size());
        boolean cached = true;
        for (FileHeader header : headers) {
            FileTransfer route = route(sources.file(header.location()), whole);
            if (route.path() == PlannedPath.MAPPED_IN_PLACE) {
                boolean mine = isCached(sources.file(header.location()));
                cached &= mine;
                route = new FileTransfer(route.path(), route.why(),
                        options.blockBytes() != 0 ? 0 : mine ? CACHED_BLOCK : MAPPED_BLOCK);
            }
            routes.add(route);
        }
        return new FileTransfers(routes, noMappings(routes.size()), null, parallelReads(headers, sources), cached);
    }

    /// How a file of de-quantised tensors gets to a device that the host cannot address; null for every other file.
    ///
    /// The size of its blocks depends on no option: what looks at blocks as they were read (digests, `countOverflows`)
    /// looks at tensors that are converted, and this path has none.
    private @Nullable FileTransfer dequantized(SourceFile file) {
        StorageFile open = file.retain();
        try {
            Optional<QuantizedReads> reads = open.ability(QuantizedReads.class);
            if (reads.isEmpty() || isHostAddressable()) {
                return null;
            }
            if (options.strictBackend() && direct.isPresent()) {
                throw new BackendException(
                        "direct storage is demanded (strict) and tensors that are de-quantised cannot have"
                                + " it",
                        file.location().where().withBackend(backend.get().name()));
            }
            boolean able = capabilities.contains(Capability.KERNELS) && reads.get().elements().stream()
                    .allMatch(from -> backend.get().kernels().dequantizes(from, reads.get().result()));
            boolean last = options.dtype().isEmpty() || options.dtype().get() == reads.get().result();
            return able && last
                    ? new FileTransfer(PlannedPath.DEQUANTIZED,
                            "de-quantised by the device, read through the page cache", 0,
                            reads.get().growth())
                    : new FileTransfer(PlannedPath.STAGED, able ? "de-quantised by the host, since it is converted to "
                            + options.dtype().get() + " afterwards"
                            : "de-quantised by the host: the backend has no kernel for it");
        } finally {
            file.release();
        }
    }

    /// What is de-quantised has no bytes in any file, so it is neither mapped nor read by direct storage.
    private FileTransfer route(SourceFile file, boolean whole) {
        FileTransfer dequantized = dequantized(file);
        if (dequantized != null) {
            return dequantized;
        }
        boolean staged = options.transferPath() == TransferPath.STAGED;
        if (isHostAddressable() && options.transferPath() != TransferPath.DIRECT) {
            return switch (options.transferPath()) {
                case STAGED -> new FileTransfer(PlannedPath.MOVED, "slots were asked for");
                case MAPPED -> mappedInPlace(file, whole);
                case AUTO, DIRECT -> inPlace(file);
            };
        }
        if (staged || direct.isEmpty()) {
            return new FileTransfer(PlannedPath.STAGED, staged ? "slots were asked for"
                    : "the host cannot address this device's memory");
        }
        Support support = file.support(direct.get());
        boolean demanded = options.strictBackend() || options.transferPath() == TransferPath.DIRECT;
        if (support.mode() == Mode.DIRECT || (support.mode() == Mode.COMPATIBILITY && demanded)) {
            return new FileTransfer(PlannedPath.DIRECT, support.reason());
        }
        if (support.mode() == Mode.NONE && options.strictBackend()) {
            throw new BackendException("direct storage is demanded (strict) and this file cannot have it: "
                    + support.reason(), file.location().where().withBackend(backend.get().name()));
        }
        return new FileTransfer(PlannedPath.STAGED,
                support.mode() == Mode.NONE ? "no direct storage: " + support.reason()
                        : "direct storage would copy through the host, which slots do faster: " + support.reason());
    }

    /// What goes on to be written or handed out in batches is copied, so that it stays as it was when the file's
    /// identity was checked.
    private FileTransfer mappedInPlace(SourceFile file, boolean whole) {
        String obstacle = options.group().isPresent() ? "ranks that share a load fill each other's memory"
                : !whole ? "batches are read into memory that is used again"
                        : isMappable(file) ? "" : "storage or files of this kind cannot be mapped";
        FileTransfer copied = inPlace(file);
        return obstacle.isEmpty()
                ? new FileTransfer(PlannedPath.MAPPED_IN_PLACE, "mapped was asked for, and the file is aligned")
                : new FileTransfer(copied.path(), "mapped was asked for, and " + obstacle, copied.readBytes());
    }

    /// Ranks that share a load cut blocks alike, whether or not the file lies on their own disk.
    private FileTransfer inPlace(SourceFile file) {
        if (options.blockBytes() != 0 || options.group().isPresent() || file.location().path().isPresent()) {
            return IN_PLACE;
        }
        int preferred = file.retain().preferredReadBytes();
        file.release();
        return preferred <= 0 ? IN_PLACE : new FileTransfer(PlannedPath.IN_PLACE, IN_PLACE.why(), preferred);
    }

    /// First come, first served: files are mapped in their order until the host budget or the bound of the device is
    /// reached, and the others are staged. Where it fails, what was taken is given back.
    private FileTransfers mapped(List<FileHeader> headers, SourceFiles sources) {
        MappedFiles mappings = MappedFiles.open(backend);
        List<FileTransfer> routes = new ArrayList<>(headers.size());
        List<Optional<MappedFile>> taken = new ArrayList<>(headers.size());
        try {
            long room = options.hostBudget();
            for (FileHeader header : headers) {
                SourceFile source = sources.file(header.location());
                FileTransfer dequantized = dequantized(source);
                if (dequantized != null) {
                    taken.add(Optional.empty());
                    routes.add(dequantized);
                    continue;
                }
                boolean able = isMappable(source);
                MappedFile file = !able || header.fileLength() > room ? null
                        : mappings.take(source, header.fileLength());
                room -= file == null ? 0 : file.length();
                taken.add(Optional.ofNullable(file));
                routes.add(able ? mapped(file, mappings)
                        : new FileTransfer(PlannedPath.STAGED, "storage of this kind cannot be mapped"));
            }
            return new FileTransfers(routes, taken, mappings, parallelReads(headers, sources), false);
        } catch (RuntimeException | Error e) {
            new FileTransfers(routes, taken, mappings, 0, false).close();
            throw e;
        }
    }

    /// What the storage of remote files says; local files have the backend's and the machine's number.
    private static int parallelReads(List<FileHeader> headers, SourceFiles sources) {
        int most = 0;
        for (FileHeader header : headers) {
            if (header.location().path().isEmpty()) {
                SourceFile source = sources.file(header.location());
                most = Math.max(most, source.retain().preferredParallelReads());
                source.release();
            }
        }
        return most;
    }

    /// Whether the page cache holds all of a file; not where nobody knows.
    private static boolean isCached(SourceFile file) {
        StorageFile open = file.retain();
        try {
            CacheResidency cache = open.ability(CacheResidency.class).orElse(null);
            return cache != null && cache.cachedBytes(0, open.length()) >= open.length();
        } finally {
            file.release();
        }
    }

    /// Asked of the storage; whether the bytes stay readable is found out when pages are brought in.
    private static boolean isMappable(SourceFile file) {
        boolean mappable = file.retain().ability(Mapping.class).isPresent();
        file.release();
        return mappable;
    }

    private FileTransfer mapped(@Nullable MappedFile file, MappedFiles mappings) {
        if (file == null) {
            return new FileTransfer(PlannedPath.STAGED, "a mapping would exceed the "
                    + Math.min(options.hostBudget(), mappings.mostBytes()) + " bytes that may stay page-locked"
                    + " (hostBudget, or the property fst.mappedBytes), or the memory that is available");
        }
        return new FileTransfer(PlannedPath.MAPPED, file.isRegistered() ? "asked for; registered by an earlier load"
                : "asked for; to be registered");
    }

    private static List<Optional<MappedFile>> noMappings(int files) {
        return Collections.nCopies(files, Optional.empty());
    }
}
