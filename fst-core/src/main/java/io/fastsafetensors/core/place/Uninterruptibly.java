package io.fastsafetensors.core.place;

/// Waiting that an interrupt does not end; the caller's interrupt status is kept for later.
final class Uninterruptibly {
    /// Something to wait for.
    interface Waiting {
        void await() throws InterruptedException;
    }

    private Uninterruptibly() {
    }

    static void run(Waiting waiting) {
        boolean interrupted = false;
        while (true) {
            try {
                waiting.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
