package io.fastsafetensors.group;

/// A collective that was queued and may still be under way. Used by the thread that uses the group.
///
/// A later fence of its stream passes when the work has ended, which for a broken group is not the same as having succeeded: only
/// this object tells that the bytes are there.
public interface PendingCollective extends AutoCloseable {
    /// Of a transport that had finished when its call returned.
    PendingCollective DONE = new PendingCollective() {
        @Override
        public boolean isDone() {
            return true;
        }

        @Override
        public void await() {
            // Nothing is under way.
        }

        @Override
        public void close() {
            // Nothing is held.
        }
    };

    /// Whether the bytes are there and no other rank needs this rank's memory any more. Does not wait.
    ///
    /// @throws io.fastsafetensors.error.GroupException if it failed
    boolean isDone();

    /// Waits until the bytes are there, for the group's timeout at most.
    ///
    /// @throws io.fastsafetensors.error.GroupException if it failed or did not end in time; the group is broken then, and
    ///         nothing of the operation touches memory any more
    void await();

    /// Releases what it holds; does not wait. Idempotent.
    @Override
    void close();
}
