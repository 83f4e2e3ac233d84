package io.fastsafetensors.core.transfer;

/// One reader thread's way of putting blocks into place. Used by that thread alone.
interface BlockTransfer extends AutoCloseable {
    /// Reads block `index` and sends it to where the plan says. It may still be under way when this returns; the
    /// [LoadContext] is told when it is in place.
    void transfer(int index);

    /// Waits until every block that was sent is in place.
    void finish();

    /// Waits until nothing is under way any more, successful or not, and gives back what it used.
    @Override
    void close();
}
