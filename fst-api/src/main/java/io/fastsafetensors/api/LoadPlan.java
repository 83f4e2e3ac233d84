package io.fastsafetensors.api;

import java.util.List;
import java.util.Optional;

/// The plan of a load, computed from headers and options alone: deterministic, printable, the same on every rank.
public interface LoadPlan {
    /// Bytes that will be read from files; with [Distribution#STRIPED] by all ranks together.
    long bytesToRead();

    /// Device bytes that the tensors will occupy.
    long deviceBytes();

    /// The most staging bytes in use at a time.
    long stagingBytes();

    /// The files, each with what will be done to it.
    List<FilePlan> files();

    /// How the load is shared with other ranks; empty if there are none.
    default Optional<Sharing> sharing() {
        return Optional.empty();
    }

    /// A SHA-256 over tensors, their places and the settings, in hexadecimal: the same on every rank that loads the same
    /// tensors to the same places.
    String digest();

    /// The plan for people, a line a file.
    String describe();

    /// A rank's share of a load.
    ///
    /// @param rank this rank
    /// @param ranks how many there are
    /// @param distribution the way, never [Distribution#AUTO]
    /// @param why why this one
    /// @param memory the most device memory that this rank needs at any time, in words
    record Sharing(int rank, int ranks, Distribution distribution, String why, String memory) {
    }

    /// The plan of one file.
    ///
    /// @param file its name
    /// @param tensors how many tensors are loaded from it
    /// @param ranges how many separate byte ranges are read
    /// @param bytesToRead their bytes
    /// @param bufferBytes the device buffer that receives them, 0 where a mapping of the file serves instead
    /// @param landing how bytes reach their place, and why that way
    record FilePlan(String file, int tensors, int ranges, long bytesToRead, long bufferBytes, String landing) {
    }
}
