package io.fastsafetensors.backend.cuda.gds;

import java.util.function.Supplier;

/// A context that knows on which threads it is current.
final class FakeContext implements CurrentContext {
    private final ThreadLocal<Integer> depth = ThreadLocal.withInitial(() -> 0);

    boolean isCurrent() {
        return depth.get() > 0;
    }

    @Override
    public <T> T with(Supplier<T> work) {
        depth.set(depth.get() + 1);
        try {
            return work.get();
        } finally {
            depth.set(depth.get() - 1);
        }
    }

    @Override
    public String nameOf(int cudaStatus) {
        return "CUDA_ERROR_" + cudaStatus;
    }
}
