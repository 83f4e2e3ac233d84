package io.fastsafetensors.core.write;

import io.fastsafetensors.error.FormatException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/// The channel that a tensor's source writes to: takes exactly the tensor's bytes. The source's thread only.
final class TensorChannel implements WritableByteChannel {
    private final CheckpointOutput output;
    private final TensorSpec item;
    private @Nullable FormatException refused;
    private boolean open = true;

    TensorChannel(CheckpointOutput output, TensorSpec item) {
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
