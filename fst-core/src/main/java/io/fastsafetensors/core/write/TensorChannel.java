package io.fastsafetensors.core.write;

import io.fastsafetensors.error.FormatError;
import io.fastsafetensors.error.FormatException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.security.MessageDigest;
import org.jspecify.annotations.Nullable;

/// What a tensor's source writes into: takes exactly the tensor's bytes, and digests them in passing. The source's
/// thread only.
final class TensorChannel implements WritableByteChannel {
    // Digested while still in the processor's cache; also the most that the JDK copies out of a heap buffer at a time.
    private static final int WINDOW = 1 << 20;

    private final FileChannel file;
    private final Item item;
    private final Path target;
    private final @Nullable MessageDigest digest;
    private long written;
    private boolean refused;
    private boolean open = true;

    TensorChannel(FileChannel file, Item item, Path target, @Nullable MessageDigest digest) {
        this.file = file;
        this.item = item;
        this.target = target;
        this.digest = digest;
    }

    @Override
    public int write(ByteBuffer source) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        }
        int count = source.remaining();
        if (refused || count > item.byteSize() - written) {
            refused = true;
            throw mismatch("more than " + item.byteSize());
        }
        int limit = source.limit();
        while (source.position() < limit) {
            source.limit(Math.min(limit, source.position() + WINDOW));
            if (digest != null) {
                digest.update(source.duplicate());
            }
            while (source.hasRemaining()) {
                written += file.write(source);
            }
            source.limit(limit);
        }
        return count;
    }

    /// Says that the source is done.
    ///
    /// @throws FormatException if it wrote too little, or too much and hid the error
    void finish() {
        open = false;
        if (refused || written != item.byteSize()) {
            throw mismatch(refused ? "more than " + item.byteSize() : Long.toString(written));
        }
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

    private FormatException mismatch(String count) {
        return new FormatException(FormatError.INVALID_TENSOR_VIEW, "its source wrote " + count + " bytes, but "
                + item.dtype() + " " + item.shape() + " has " + item.byteSize(),
                Where.file(target).withTensor(item.name()));
    }
}
