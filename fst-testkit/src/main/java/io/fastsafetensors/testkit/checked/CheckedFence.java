package io.fastsafetensors.testkit.checked;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.spi.Fence;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;

/// A fence under watch.
final class CheckedFence implements Fence {
    private final Fence delegate;
    private final CheckedBackend backend;
    private final Contract contract;
    private final @Nullable CheckedStream stream;
    private final long position;
    private final AtomicBoolean closed = new AtomicBoolean();
    private volatile boolean passed;

    /// @param stream whose work it is behind; null for a stream that the program opened itself
    CheckedFence(Fence delegate, CheckedBackend backend, @Nullable CheckedStream stream, long position) {
        this.delegate = delegate;
        this.backend = backend;
        this.contract = backend.contract();
        this.stream = stream;
        this.position = position;
        backend.opened(this, "a fence");
    }

    static CheckedFence ofAnotherStream(Fence delegate, CheckedBackend backend) {
        return new CheckedFence(delegate, backend, null, 0);
    }

    Fence real() {
        return delegate;
    }

    boolean isClosed() {
        return closed.get();
    }

    private CheckedCall call(String what) {
        return contract.call(what)
                .assume(!isClosed(), Check.CLOSED_FENCE_USED, () -> "the fence is closed")
                .unless(() -> isClosed() || backend.isClosed());
    }

    @Override
    public boolean isPassed() {
        boolean before = passed;
        long reached = stream == null ? 0 : stream.seen();
        boolean now;
        try {
            now = call("isPassed()").answer(delegate::isPassed);
        } catch (BackendException e) {
            seen(false);
            throw e;
        }
        contract.require(now || !before, Check.FENCE_WENT_BACK, "isPassed() is false, and was true");
        if (now) {
            seen(true);
        } else if (!isClosed()) {
            contract.require(reached <= position, Check.FENCES_OUT_OF_ORDER,
                    "this fence has not passed, and a later one of its stream has");
        }
        return now;
    }

    @Override
    public void await() {
        try {
            call("await()").run(delegate::await);
        } catch (BackendException e) {
            seen(false);
            throw e;
        }
        seen(true);
        contract.require(isClosed() || delegate.isPassed(), Check.FENCE_WENT_BACK, "isPassed() is false after await()");
    }

    /// The work before the fence is done.
    void seen(boolean succeeded) {
        passed = true;
        if (stream != null) {
            stream.landTo(position, succeeded);
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            backend.ended(this);
            if (stream != null) {
                stream.forget(this);
            }
        }
        delegate.close();
    }
}
