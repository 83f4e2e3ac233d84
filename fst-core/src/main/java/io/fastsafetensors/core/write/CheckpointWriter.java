package io.fastsafetensors.core.write;

import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Writes checkpoints: `Safetensors.write`.
public final class CheckpointWriter {
    private CheckpointWriter() {
    }

    /// Writes a file, or shards and an index if the options cut them. Headers are made before the first byte is written;
    /// every file is complete and durable before the first one appears; the index appears last. Each source is asked
    /// for its bytes once, on this thread.
    ///
    /// @param target the file, whose directory exists, or the directory for shards, made if need be
    /// @param tensors what to write; shards fill in this order
    /// @param options metadata, alignment, shard size, digests
    /// @return the files written, the index last
    /// @throws io.fastsafetensors.error.FormatException if names clash, a header is too large, or a source writes
    ///         another number of bytes than its tensor has; what was there before stays
    /// @throws StorageException if writing fails; what was there before stays
    public static List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        boolean sharded = options.maxShardBytes() != Long.MAX_VALUE;
        List<List<Item>> shards = ShardPlanner.plan(tensors, options.maxShardBytes(), target);
        List<Path> paths = new ArrayList<>();
        List<HeaderText> headers = new ArrayList<>();
        for (int i = 0; i < shards.size(); i++) {
            paths.add(sharded ? target.resolve(ShardPlanner.fileName(i, shards.size())) : target);
            headers.add(HeaderText.of(shards.get(i), options, paths.get(i)));
        }
        List<AtomicFile> files = new ArrayList<>();
        try {
            if (sharded) {
                Files.createDirectories(target);
            }
            for (int i = 0; i < shards.size(); i++) {
                AtomicFile file = AtomicFile.create(paths.get(i));
                files.add(file);
                writeShard(file, headers.get(i), shards.get(i), paths.get(i), options.digests());
            }
            if (sharded) {
                Path index = target.resolve(IndexText.FILE_NAME);
                AtomicFile file = AtomicFile.create(index);
                files.add(file);
                paths.add(index);
                writeAll(file.channel(), IndexText.of(shards));
                file.complete();
            }
            for (AtomicFile file : files) {
                file.publish();
            }
            files.getLast().syncDirectory();
        } catch (IOException e) {
            throw new StorageException("cannot write: " + reason(e) + "; what was there before is still there",
                    Where.file(paths.getLast()), e);
        } finally {
            closeAll(files);
        }
        return List.copyOf(paths);
    }

    private static void writeShard(AtomicFile file, HeaderText header, List<Item> items, Path target, boolean digests)
            throws IOException {
        FileChannel channel = file.channel();
        writeAll(channel, header.toBuffer());
        MessageDigest digest = digests ? sha256() : null;
        for (Item item : items) {
            String hex = writeTensor(channel, item, target, digest);
            if (hex != null) {
                ByteBuffer digits = ByteBuffer.wrap(hex.getBytes(StandardCharsets.US_ASCII));
                long at = header.digestOffset(item.name());
                while (digits.hasRemaining()) {
                    channel.write(digits, at + digits.position());
                }
            }
        }
        file.complete();
    }

    private static @Nullable String writeTensor(FileChannel channel, Item item, Path target,
            @Nullable MessageDigest digest) throws IOException {
        try (TensorChannel bytes = new TensorChannel(channel, item, target, digest)) {
            item.source().writeTo(bytes);
            bytes.finish();
        }
        return digest == null ? null : HexFormat.of().formatHex(digest.digest());
    }

    private static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
        while (bytes.hasRemaining()) {
            channel.write(bytes);
        }
    }

    private static void closeAll(List<AtomicFile> files) {
        for (AtomicFile file : files) {
            try {
                file.close();
            } catch (IOException e) {
                System.getLogger(CheckpointWriter.class.getName()).log(System.Logger.Level.WARNING,
                        "a temporary file could not be removed", e);
            }
        }
    }

    private static String reason(IOException e) {
        String message = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
        return e instanceof NoSuchFileException ? "no such directory: " + message : message;
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java platform has SHA-256", e);
        }
    }
}
