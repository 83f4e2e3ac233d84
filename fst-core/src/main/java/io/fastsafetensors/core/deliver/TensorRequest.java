package io.fastsafetensors.core.deliver;

import io.fastsafetensors.core.shard.Part;
import io.fastsafetensors.types.TensorInfo;

/// A request of all ranks to the owner of a tensor.
///
/// @param tensor the tensor as it was loaded: of the dtype that it has in memory
/// @param owner who has it
/// @param dim the dimension that it is cut along, −1 if it goes as a whole
/// @param destination the one rank that gets it, −1 if all do
record TensorRequest(TensorInfo tensor, int owner, int dim, int destination) {
    /// What a rank gets.
    Part part(int rank, int ranks) {
        return Part.of(tensor, dim, rank, ranks);
    }

    /// Whether a rank gets something.
    boolean reaches(int rank) {
        return destination < 0 || destination == rank;
    }

    /// Whether bytes go from rank to rank.
    boolean moves() {
        return tensor.byteSize() > 0 && destination != owner;
    }
}
