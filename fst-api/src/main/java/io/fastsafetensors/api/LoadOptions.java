package io.fastsafetensors.api;

import io.fastsafetensors.group.ProcessGroup;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Device;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/// Everything that a load can be told; immutable. Built by [Loader#builder()], whose methods document each one.
///
/// @param device see [LoaderBuilder#device(Device)]
/// @param backend see [LoaderBuilder#backend(String)]
/// @param backendProperties see [LoaderBuilder#backendProperty(String, String)]
/// @param strictBackend see [LoaderBuilder#strictBackend(boolean)]
/// @param dtype see [LoaderBuilder#dtype(DType)]
/// @param dequantize see [LoaderBuilder#dequantize(DType)]
/// @param keep see [LoaderBuilder#keep(Selection)]
/// @param countOverflows see [LoaderBuilder#countOverflows(boolean)]
/// @param selection see [LoaderBuilder#select(Selection)]
/// @param alignment see [LoaderBuilder#alignment(long)]
/// @param readers see [LoaderBuilder#readers(int)]
/// @param blockBytes see [LoaderBuilder#blockBytes(int)]
/// @param directIo see [LoaderBuilder#directIo(DirectIo)]
/// @param transferPath see [LoaderBuilder#transferPath(TransferPath)]
/// @param numaPinning see [LoaderBuilder#numaPinning(boolean)]
/// @param deviceBudget see [LoaderBuilder#deviceBudget(long)]
/// @param hostBudget see [LoaderBuilder#hostBudget(long)]
/// @param group see [LoaderBuilder#group(ProcessGroup)]
/// @param distribution see [LoaderBuilder#distribution(Distribution)]
/// @param shards see [LoaderBuilder#shards(ShardSpec)]
/// @param open see [LoaderBuilder#open(OpenOptions)]
/// @param checkDigests see [LoaderBuilder#checkDigests(boolean)]
/// @param digests see [LoaderBuilder#digests(Digests)]
/// @param leakDetection see [LoaderBuilder#leakDetection(LeakDetection)]
/// @param stream see [LoaderBuilder#stream(StreamOptions)]
/// @param progress see [LoaderBuilder#progress(ProgressListener)]
public record LoadOptions(Device device, Optional<String> backend, Map<String, String> backendProperties,
        boolean strictBackend, Optional<DType> dtype, Optional<DType> dequantize, Selection keep,
        boolean countOverflows, Selection selection, long alignment, int readers, int blockBytes,
        DirectIo directIo, TransferPath transferPath, boolean numaPinning, long deviceBudget, long hostBudget,
        Optional<ProcessGroup> group, Distribution distribution, Optional<ShardSpec> shards, OpenOptions open,
        boolean checkDigests, Digests digests,
        LeakDetection leakDetection, StreamOptions stream, ProgressListener progress) {
    private static final long LARGEST_ALIGNMENT = 1 << 30;
    private static final int MOST_READERS = 1024;
    private static final long LARGEST_BLOCK = 1 << 30;

    /// Copies the map.
    ///
    /// @throws IllegalArgumentException if a number is outside of what its method of [LoaderBuilder] takes
    public LoadOptions {
        Objects.requireNonNull(device, "device");
        Objects.requireNonNull(backend, "backend");
        Objects.requireNonNull(backendProperties, "backendProperties");
        Objects.requireNonNull(dtype, "dtype");
        Objects.requireNonNull(dequantize, "dequantize");
        Objects.requireNonNull(keep, "keep");
        Objects.requireNonNull(selection, "selection");
        Objects.requireNonNull(directIo, "directIo");
        Objects.requireNonNull(transferPath, "transferPath");
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(distribution, "distribution");
        Objects.requireNonNull(shards, "shards");
        Objects.requireNonNull(open, "open");
        Objects.requireNonNull(digests, "digests");
        Objects.requireNonNull(leakDetection, "leakDetection");
        Objects.requireNonNull(stream, "stream");
        Objects.requireNonNull(progress, "progress");
        backendProperties = Map.copyOf(backendProperties);
        dequantize.ifPresent(LoadOptions::requireFloat);
        requireAlignment(alignment);
        requireReaders(readers);
        requireBlockBytes(blockBytes);
        requireBudget(deviceBudget);
        requireBudget(hostBudget);
    }

    static DType requireFloat(DType dtype) {
        if (dtype != DType.BF16 && dtype != DType.F16 && dtype != DType.F32) {
            throw new IllegalArgumentException("de-quantisation to " + dtype + "; expected BF16, F16 or F32");
        }
        return dtype;
    }

    static long requireAlignment(long bytes) {
        if (bytes != 0 && (bytes < 0 || bytes > LARGEST_ALIGNMENT || Long.bitCount(bytes) != 1)) {
            throw new IllegalArgumentException("an alignment of " + bytes
                    + " bytes; expected 0 (automatic) or a power of two up to 1 GiB");
        }
        return bytes;
    }

    static int requireReaders(int threads) {
        if (threads < 0 || threads > MOST_READERS) {
            throw new IllegalArgumentException(
                    threads + " readers; expected 0 (automatic) to " + MOST_READERS);
        }
        return threads;
    }

    static int requireBlockBytes(long bytes) {
        if (bytes < 0 || bytes > LARGEST_BLOCK) {
            throw new IllegalArgumentException("blocks of " + bytes + " bytes; expected 0 (automatic) to 1 GiB");
        }
        return (int) bytes;
    }

    static long requireBudget(long bytes) {
        if (bytes <= 0) {
            throw new IllegalArgumentException("a budget of " + bytes + " bytes; expected 1 or more");
        }
        return bytes;
    }

    /// What a loader does that is told nothing: CPU memory, strict headers, everything else automatic.
    public static LoadOptions defaults() {
        return Loader.builder().options();
    }

    /// A builder that starts with these options.
    public LoaderBuilder toBuilder() {
        return new LoaderBuilder(this);
    }
}
