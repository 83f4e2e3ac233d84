package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.distribute.FileOwners;
import io.fastsafetensors.error.TensorNotFoundException;
import io.fastsafetensors.types.TensorInfo;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/// Counts which tensors were handed out, file by file: a file whose tensors all were is no longer needed. The same on
/// every rank. Used by one thread at a time.
final class DeliveryTracker {
    private final FileOwners owners;
    private final int[] waiting;
    private final Set<String> handedOut = new HashSet<>();

    DeliveryTracker(FileOwners owners, Collection<TensorInfo> tensors) {
        this.owners = owners;
        this.waiting = new int[owners.files()];
        tensors.forEach(tensor -> waiting[owners.file(tensor)]++);
    }

    /// Refuses a tensor whose file is gone.
    ///
    /// @throws TensorNotFoundException if all tensors of its file were handed out
    void requireThere(TensorInfo tensor) {
        if (waiting[owners.file(tensor)] == 0) {
            throw new TensorNotFoundException(tensor.name(), "every tensor of its file was handed out, and the file's"
                    + " memory went back; keep the tensor that was given, or ask for it before the last one");
        }
    }

    /// A tensor was handed out.
    ///
    /// @return whether it was the last of its file
    boolean add(TensorInfo tensor) {
        return handedOut.add(tensor.name()) && --waiting[owners.file(tensor)] == 0;
    }
}
