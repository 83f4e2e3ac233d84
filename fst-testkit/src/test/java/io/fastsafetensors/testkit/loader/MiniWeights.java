package io.fastsafetensors.testkit.loader;

import io.fastsafetensors.api.LoadOptions;
import io.fastsafetensors.api.TensorStream;
import io.fastsafetensors.api.TransferPath;
import io.fastsafetensors.api.Weights;
import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.spi.Backend;
import io.fastsafetensors.testkit.fixture.CheckpointFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The tensors of a checkpoint that a fixture wrote, all read at once.
final class MiniWeights {
    private static final Pattern ENTRY = Pattern.compile("\"((?:[^\"\\\\]|\\\\.)*)\":\\{\"dtype\":\"(\\w+)\","
            + "\"shape\":\\[([\\d,]*)],\"data_offsets\":\\[(\\d+),(\\d+)]}");

    private final Backend backend;
    private final AtomicBoolean closed = new AtomicBoolean();
    private boolean digestsAreRight = true;
    private final Map<String, MiniTensor> tensors = new LinkedHashMap<>();

    MiniWeights(Backend backend, LoadOptions options, Path checkpoint) {
        this.backend = backend;
        try {
            List<Path> files = files(checkpoint);
            for (Path file : MiniLoaderProvider.breaks("F-05") ? files.subList(0, 1) : files) {
                read(Files.readAllBytes(file), options);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    Weights asWeights() {
        return Stub.of(Weights.class, Map.of("names", _ -> tensors.keySet(), "get", arguments -> {
            if (closed.get()) {
                throw new IllegalStateException("the weights are closed");
            }
            return tensors.get((String) arguments[0]).asTensor();
        }, "awaitAll", _ -> {
            if (!digestsAreRight && !MiniLoaderProvider.breaks("F-14")) {
                throw new FormatException(FormatError.DIGEST_MISMATCH, "a digest is wrong", Where.nowhere());
            }
            return closed;
        }, "close", _ -> {
            closed.set(true);
            return closed;
        }));
    }

    TensorStream asStream() {
        List<MiniTensor> all = new ArrayList<>(tensors.values());
        if (MiniLoaderProvider.breaks("F-12")) {
            all.removeLast();
        }
        return Stub.of(TensorStream.class, Map.of("iterator", _ -> all.stream().map(MiniTensor::asTensor).iterator(),
                "close", _ -> closed));
    }

    private static List<Path> files(Path checkpoint) throws IOException {
        boolean index = checkpoint.endsWith(CheckpointFixture.INDEX_NAME);
        if (!index && !Files.isDirectory(checkpoint)) {
            return List.of(checkpoint);
        }
        try (Stream<Path> listing = Files.list(index ? checkpoint.resolveSibling("") : checkpoint)) {
            return listing.filter(f -> f.toString().endsWith(".safetensors")).sorted().toList();
        }
    }

    private void read(byte[] file, LoadOptions options) {
        int length = (int) ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong();
        int dataStart = 8 + length;
        digestsAreRight &= !options.checkDigests() || MiniLoaderProvider.isDigested(file);
        Matcher entry = ENTRY.matcher(new String(file, 8, length, StandardCharsets.UTF_8));
        while (entry.find()) {
            DType dtype = DType.valueOf(entry.group(2));
            Shape shape = Shape.of(entry.group(3).isEmpty() ? new long[0]
                    : Stream.of(entry.group(3).split(",", -1)).mapToLong(Long::parseLong).toArray());
            int begin = dataStart + Integer.parseInt(entry.group(4));
            byte[] bytes = Arrays.copyOfRange(file, begin, dataStart + Integer.parseInt(entry.group(5)));
            if (bytes.length == 0 && MiniLoaderProvider.breaks("F-02")) {
                continue;
            }
            boolean forgets = (dtype.isSubByte() && bytes.length > 0 && MiniLoaderProvider.breaks("F-01"))
                    || (bytes.length == (1 << 20) + 1 && MiniLoaderProvider.breaks("F-04"));
            if (forgets) {
                bytes[bytes.length - 1] ^= 1;
            }
            if (bytes.length > 0 && options.transferPath() == TransferPath.STAGED
                    && MiniLoaderProvider.breaks("F-11")) {
                bytes[0] ^= 1;
            }
            MiniTensor tensor =
                    MiniTensor.upload(backend, closed, entry.group(1), dtype, shape, bytes, begin);
            boolean converts = dtype.isFloat() && options.dtype().isPresent() && !MiniLoaderProvider.breaks("F-07");
            tensors.put(entry.group(1), converts ? tensor.converted(options.dtype().orElseThrow()) : tensor);
        }
    }
}
