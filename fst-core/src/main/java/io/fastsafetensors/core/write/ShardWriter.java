package io.fastsafetensors.core.write;

import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.core.digest.Sha256;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// One file of a checkpoint being written: its header stands before the first tensor comes, so every tensor has its
/// place. Not thread-safe. Its file is made only when its first byte comes: a checkpoint may have more shards than a
/// process descriptors.
final class ShardWriter {
    private final Path target;
    private final List<TensorSpec> items;
    private final HeaderEncoder header;
    private final boolean digests;
    private @Nullable AtomicFile file;
    /// Bytes of the data section.
    private final long dataBytes;
    /// Bytes that were not written yet.
    private long missing;

    /// @param items its tensors, in their order
    ShardWriter(Path target, List<TensorSpec> items, WriteOptions options) {
        this.target = target;
        this.items = items;
        this.header = HeaderEncoder.of(items, options, target);
        this.digests = options.digests();
        this.dataBytes = items.stream().mapToLong(TensorSpec::byteSize).sum();
        this.missing = dataBytes;
    }

    /// Where it will be.
    Path target() {
        return target;
    }

    List<TensorSpec> items() {
        return items;
    }

    /// Bytes of its tensors; 0 means that nobody will ever write to it, and its header is all.
    long dataBytes() {
        return dataBytes;
    }

    /// The position of the data section.
    long dataStart() {
        return header.byteSize();
    }

    /// The temporary file, begun with the header when it is first asked for.
    ///
    /// Opening it again after it was parked costs a call; a checkpoint of thousands of shards keeps few descriptors.
    ///
    /// @param keeper the file that stays open for all of its writer; null for that one itself
    /// @throws IOException if it cannot be made
    AtomicFile file(@Nullable AtomicFile keeper) throws IOException {
        AtomicFile opened = file;
        if (opened == null) {
            opened = AtomicFile.create(target, dataStart() + dataBytes, keeper);
            file = opened;
            put(opened, 0, header.toBuffer());
            for (TensorSpec item : items) {
                if (digests && item.byteSize() == 0) {
                    putDigest(opened, item.name(), Sha256.hex(Sha256.create()));
                }
            }
        }
        return opened;
    }

    /// Says that bytes of a tensor were written.
    ///
    /// @return whether the file is whole now
    boolean wrote(long bytes) {
        missing -= bytes;
        return missing == 0;
    }

    /// Puts a tensor's digest into the header.
    ///
    /// @param hex 64 digits
    /// @param tensor of this shard, with a place for its digest
    void putDigest(AtomicFile into, String tensor, String hex) throws IOException {
        put(into, header.digestOffset(tensor), ByteBuffer.wrap(hex.getBytes(StandardCharsets.US_ASCII)));
    }

    /// Writes all of it; a channel may take less at a time.
    private static void put(AtomicFile file, long position, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            file.channel().write(bytes, position + bytes.position());
        }
    }

    /// The temporary file, null if it was not begun.
    @Nullable
    AtomicFile begun() {
        return file;
    }

    /// Removes the temporary file unless it was published.
    void close() throws IOException {
        if (file != null) {
            file.close();
        }
    }
}
