package io.fastsafetensors.api;

import io.fastsafetensors.types.Device;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// Loads checkpoints into the memory of one device. Thread-safe: several loads may run at once. Closing it ends
/// nothing that was begun: a load belongs to its [Weights].
public interface Loader extends AutoCloseable {
    /// A builder with every option at its default.
    static LoaderBuilder builder() {
        return new LoaderBuilder();
    }

    /// A loader with the given options.
    static Loader of(LoadOptions options) {
        return LoaderProvider.instance().newLoader(options);
    }

    /// A loader configured by `FASTSAFETENSORS_CONFIG`, `fastsafetensors.json` or fst's own file.
    ///
    /// @throws io.fastsafetensors.error.ConfigException naming the file, line and key that is wrong
    static Loader fromConfig() {
        return Loader.of(LoaderProvider.instance().configuredOptions());
    }

    /// Starts loading a checkpoint: a .safetensors file, a directory, an index.json, or a Hugging Face cache folder.
    /// Headers are read and every tensor's place is allocated when this returns; the bytes follow in the background.
    ///
    /// @return the tensors, which the caller closes
    /// @throws io.fastsafetensors.error.FormatException if a file breaks the format
    /// @throws io.fastsafetensors.error.StorageException if one cannot be read
    /// @throws io.fastsafetensors.error.OutOfDeviceMemoryException if the device has no room
    /// @throws io.fastsafetensors.error.BudgetException if the budget has no room
    /// @throws IllegalStateException if the loader is closed
    Weights load(Path checkpoint);

    /// As [#load(Path)], from files that belong together, in this order.
    Weights load(List<Path> files);

    /// As [#load(Path)], with the files that each rank owns.
    Weights load(Map<Integer, List<Path>> filesByRank);

    /// What [#load(Path)] would do, without allocating or reading tensors.
    LoadPlan plan(Path checkpoint);

    /// Starts loading and hands tensors out in the order in which they arrive, under the loader's budget.
    TensorStream stream(Path checkpoint, StreamOptions options);

    /// Takes over a tensor from another framework through DLPack, without a copy.
    ///
    /// @param managedTensor the address of a `DLManagedTensor` or `DLManagedTensorVersioned`; its deleter is called
    ///        when the tensor is closed
    /// @param version which of the two
    /// @return a detached tensor, which the caller closes
    Tensor fromDlpack(long managedTensor, DlpackVersion version);

    /// The options it was built with.
    LoadOptions options();

    /// The device, resolved.
    Device device();

    /// Which backend serves it, why, and why the others do not.
    BackendChoice backend();

    /// Gives back the page-locked memory that is kept for the next load and that no load is using: slots, and mappings
    /// of files that were loaded by [TransferPath#MAPPED]. The next load makes them again.
    ///
    /// @throws IllegalStateException if the loader is closed
    void trim();

    /// Takes no further loads, and releases the device when the last [Weights] and detached tensor is closed.
    /// Idempotent, from any thread.
    @Override
    void close();
}
