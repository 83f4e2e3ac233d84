package io.fastsafetensors.spi.storage;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SeekableByteChannel;
import java.util.function.Supplier;

/// A channel that many threads use, interrupted ones too. The JDK closes a channel under a thread that is interrupted,
/// for every thread; here the channel is opened again, and the thread is interrupted still when its call returns.
/// Thread-safe.
public final class SharedChannel implements AutoCloseable {
    /// The interrupts that one call outlasts; a file system whose own channel was closed fails as often as it is asked.
    private static final int MOST_INTERRUPTS = 1000;

    private final Opener opener;
    private volatile SeekableByteChannel channel;

    /// Opens the file again, the same version of it.
    @FunctionalInterface
    public interface Opener {
        /// Called by one thread at a time.
        ///
        /// @throws IllegalStateException if the file was closed
        SeekableByteChannel open() throws IOException;
    }

    /// An operation on the open channel; runs again from its start where an interrupt ended it.
    ///
    /// @param <R> its result
    @FunctionalInterface
    public interface Operation<R> {
        /// Runs.
        R on(SeekableByteChannel channel) throws IOException;
    }

    /// @param channel open; owned
    /// @param opener opens it again
    public SharedChannel(SeekableByteChannel channel, Opener opener) {
        this.channel = channel;
        this.opener = opener;
    }

    /// Runs an operation.
    ///
    /// @throws IOException what the operation throws, or opening again does
    /// @throws IllegalStateException if the file was closed, as the opener says
    public <R> R run(Operation<R> operation) throws IOException {
        boolean interrupted = false;
        try {
            for (int attempt = 0;; attempt++) {
                // The JDK closes the channel under a thread whose status is set.
                interrupted |= Thread.interrupted();
                SeekableByteChannel mine = channel;
                try {
                    return operation.on(mine);
                } catch (ClosedChannelException e) {
                    interrupted |= Thread.interrupted();
                    if (attempt == MOST_INTERRUPTS) {
                        throw e;
                    }
                    reopen(mine);
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /// Does something with a file system while the thread is not interrupted; it is again afterwards. An interrupted
    /// thread that touches a zip file system closes that for every thread and for good.
    public static <R> R apartFromInterrupts(Supplier<R> work) {
        boolean interrupted = Thread.interrupted();
        try {
            return work.get();
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private synchronized void reopen(SeekableByteChannel old) throws IOException {
        if (channel.equals(old)) {
            channel = opener.open();
        }
    }

    /// Closes the channel. The opener refuses from before this call on.
    @Override
    public synchronized void close() throws IOException {
        channel.close();
    }
}
