package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.memory.SharedBuffer;
import io.fastsafetensors.core.digest.Sha256;
import io.fastsafetensors.spi.CopyStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.security.MessageDigest;

/// The SHA-256 of a tensor where it lies.
final class TensorDigest {
    /// What is copied back from a device at a time, and how much of a segment one buffer shows.
    private static final long STEP = 8L << 20;

    private TensorDigest() {
    }

    /// In lower-case hexadecimal. Waits for what it copies.
    static String of(CoreTensor tensor) {
        MessageDigest digest = Sha256.create();
        if (tensor.isHostAddressable()) {
            tensor.requireReadable();
            MemorySegment bytes = tensor.segment();
            for (long at = 0; at < bytes.byteSize(); at += STEP) {
                digest.update(bytes.asSlice(at, Math.min(STEP, bytes.byteSize() - at)).asByteBuffer());
            }
        } else if (tensor.byteSize() > 0) {
            copyBack(tensor, digest);
        }
        return Sha256.hex(digest);
    }

    private static void copyBack(CoreTensor tensor, MessageDigest digest) {
        SharedBuffer held = tensor.hold();
        // Shared, since a backend may copy on a thread of its own.
        try (Arena arena = Arena.ofShared(); CopyStream stream = held.backend().get().openCopyStream()) {
            MemorySegment window = arena.allocate(Math.min(STEP, tensor.byteSize()));
            for (long at = 0; at < tensor.byteSize(); at += STEP) {
                MemorySegment part = window.asSlice(0, Math.min(STEP, tensor.byteSize() - at));
                stream.copyToHost(held.buffer(), tensor.offset() + at, part);
                stream.synchronize();
                digest.update(part.asByteBuffer());
            }
        } finally {
            held.release();
        }
    }
}
