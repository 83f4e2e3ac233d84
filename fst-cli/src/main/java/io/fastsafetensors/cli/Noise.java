package io.fastsafetensors.cli;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;

/// Bytes that look like trained BF16 weights and are the same every time: SplitMix64 from a seed, word by word, so that
/// any part can be made by itself. Not thread-safe.
public final class Noise {
    private static final int BLOCK_BYTES = 1 << 20;
    private static final long GAMMA = 0x9E3779B97F4A7C15L;
    // Keeps signs and fractions random, and sets every exponent to that of 0.03: finite values of plausible size.
    private static final long RANDOM_BITS = 0x807F_807F_807F_807FL;
    private static final long EXPONENTS = 0x3D00_3D00_3D00_3D00L;

    private final ByteBuffer block = ByteBuffer.allocateDirect(BLOCK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    private final LongBuffer words = block.asLongBuffer();

    /// Takes blocks of bytes.
    @FunctionalInterface
    public interface Sink<E extends Exception> {
        /// Takes all of a block, which is used again.
        void accept(ByteBuffer block) throws E;
    }

    /// Makes `byteSize` bytes from `seed` and hands them over block by block.
    public <E extends Exception> void generate(long seed, long byteSize, Sink<E> sink) throws E {
        long word = 0;
        for (long at = 0; at < byteSize; at += BLOCK_BYTES) {
            int length = (int) Math.min(BLOCK_BYTES, byteSize - at);
            int count = (length + 7) / 8;
            for (int i = 0; i < count; i++) {
                words.put(i, (mix(seed + GAMMA * word++) & RANDOM_BITS) | EXPONENTS);
            }
            sink.accept(block.clear().limit(length));
        }
    }

    private static long mix(long value) {
        long z = (value ^ value >>> 30) * 0xBF58476D1CE4E5B9L;
        z = (z ^ z >>> 27) * 0x94D049BB133111EBL;
        return z ^ z >>> 31;
    }
}
