package io.fastsafetensors.core.write;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/// Tensors to write, and what came of them.
final class Sources {
    private Sources() {
    }

    static TensorSource of(String name, DType dtype, byte[] bytes, long... shape) {
        return TensorSource.of(name, dtype, Shape.of(shape), channel -> channel.write(ByteBuffer.wrap(bytes)));
    }

    /// A tensor of the bytes 0, 1, 2, …
    static TensorSource counting(String name, DType dtype, long... shape) {
        byte[] bytes = new byte[Math.toIntExact(dtype.byteSize(Shape.of(shape).elements()))];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) i;
        }
        return of(name, dtype, bytes, shape);
    }

    static TensorSource writing(int bytes, String name, DType dtype, long... shape) {
        return of(name, dtype, new byte[bytes], shape);
    }

    static String header(Path file) throws Exception {
        byte[] all = Files.readAllBytes(file);
        int length = headerLength(all);
        return new String(all, 8, length, StandardCharsets.UTF_8);
    }

    static byte[] data(Path file) throws Exception {
        byte[] all = Files.readAllBytes(file);
        return Arrays.copyOfRange(all, 8 + headerLength(all), all.length);
    }

    static List<String> listing(Path directory) throws Exception {
        try (Stream<Path> entries = Files.list(directory)) {
            return entries.map(entry -> entry.getFileName().toString()).sorted().toList();
        }
    }

    private static int headerLength(byte[] file) {
        return Math.toIntExact(ByteBuffer.wrap(file).order(ByteOrder.LITTLE_ENDIAN).getLong());
    }
}
