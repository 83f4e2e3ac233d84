package io.fastsafetensors.core.write;

import io.fastsafetensors.api.Tensor;
import io.fastsafetensors.api.TensorSource;
import io.fastsafetensors.api.WriteOptions;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Writes checkpoints out of sources that give their bytes when asked: `Safetensors.write`. Everything happens on the
/// caller's thread; what was there before stays until all files are whole ([CheckpointOutput]).
public final class CheckpointWriter {
    /// The longest segment that a [ByteBuffer] can be a view of is 2 GiB less one byte.
    private static final long WINDOW = 1L << 30;

    private CheckpointWriter() {
    }

    /// Writes a file, or shards and an index if the options cut them. Each source is asked for its bytes once, on this
    /// thread, in the order of the files.
    ///
    /// @param target the file, whose directory exists, or the directory for shards, made if need be
    /// @param tensors what to write; shards fill in this order
    /// @param options metadata, alignment, shard size, digests
    /// @return the files written, the index last
    /// @throws FormatException if names clash, a header is too large, or a source writes
    ///         another number of bytes than its tensor has; what was there before stays
    /// @throws StorageException if writing fails; what was there before stays
    public static List<Path> write(Path target, List<TensorSource> tensors, WriteOptions options) {
        List<TensorSpec> items = new ArrayList<>(tensors.size());
        Map<String, TensorSource> sources = new HashMap<>();
        for (TensorSource source : tensors) {
            TensorSpec item = TensorSpec.of(source.name(), source.dtype(), source.shape());
            items.add(item);
            sources.put(item.name(), source);
        }
        try (CheckpointOutput output = new CheckpointOutput(target,
                Layout.of(items, options, Layout.plainIndex(), target), options, false)) {
            output.begin();
            for (TensorSpec item : output.items()) {
                writeTensor(output, item, Objects.requireNonNull(sources.get(item.name())));
            }
            return output.publish();
        }
    }

    /// A loaded tensor as a source for the writer. Name, dtype and shape are those of now; its bytes those of when it is
    /// written.
    ///
    /// @param tensor stays the caller's, and open until it is written
    public static TensorSource sourceOf(Tensor tensor) {
        return new TensorBytes(tensor, tensor.name(), tensor.dtype(), tensor.shape());
    }

    private static void writeTensor(CheckpointOutput output, TensorSpec item, TensorSource source) {
        try (TensorChannel channel = new TensorChannel(output, item)) {
            source.writeTo(channel);
            channel.finish();
        } catch (IOException e) {
            throw CheckpointOutput.failure(e, output.fileOf(item.name()));
        }
    }

    /// The channel that a tensor's source writes to: takes exactly the tensor's bytes. The source's thread only.
    ///
    /// More bytes than the tensor has are refused with the write that brings them.
    private static final class TensorChannel implements WritableByteChannel {
        private final CheckpointOutput output;
        private final TensorSpec item;
        // Kept, since a source may catch what a write throws and end as if all were well.
        private @Nullable FormatException refused;
        private boolean open = true;

        private TensorChannel(CheckpointOutput output, TensorSpec item) {
            this.output = output;
            this.item = item;
        }

        @Override
        public int write(ByteBuffer source) throws ClosedChannelException {
            if (!open) {
                throw new ClosedChannelException();
            }
            if (refused != null) {
                throw refused;
            }
            int count = source.remaining();
            try {
                output.append(item.name(), source);
            } catch (FormatException e) {
                refused = e;
                throw e;
            }
            return count;
        }

        /// Says that the source is done.
        ///
        /// @throws FormatException if it wrote too little, or too much and hid the error
        void finish() {
            open = false;
            if (refused != null) {
                throw refused;
            }
            output.requireWhole(item.name());
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        /// Only ends this tensor: a source that tidies up does not close the file.
        @Override
        public void close() {
            open = false;
        }
    }

    /// Memory that the host cannot address is copied as a whole before it is written; a tensor is not larger than
    /// what was loaded.
    private record TensorBytes(Tensor tensor, String name, DType dtype, Shape shape) implements TensorSource {
        @Override
        public void writeTo(WritableByteChannel channel) throws IOException {
            if (tensor.isHostAddressable()) {
                write(tensor.segment(), channel);
                return;
            }
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment copy = arena.allocate(tensor.byteSize(), 8);
                tensor.copyTo(copy);
                write(copy, channel);
            }
        }

        private static void write(MemorySegment bytes, WritableByteChannel channel) throws IOException {
            for (long at = 0; at < bytes.byteSize(); at += WINDOW) {
                ByteBuffer window = bytes.asSlice(at, Math.min(WINDOW, bytes.byteSize() - at)).asByteBuffer();
                while (window.hasRemaining()) {
                    channel.write(window);
                }
            }
        }
    }
}
