package io.fastsafetensors.api;

import java.util.List;

/// What a load will do, computed from headers and options alone: deterministic, printable, the same on every rank.
public interface LoadPlan {
    /// Bytes that will be read from files.
    long bytesToRead();

    /// Device bytes that the tensors will occupy.
    long deviceBytes();

    /// The most staging bytes in use at a time.
    long stagingBytes();

    /// The files, each with what will be done to it.
    List<FilePlan> files();

    /// A SHA-256 over everything that ranks must agree on, in hexadecimal.
    String digest();

    /// The plan for people, a line a file.
    String describe();

    /// The plan of one file.
    ///
    /// @param file its name
    /// @param tensors how many tensors are loaded from it
    /// @param ranges how many separate byte ranges are read
    /// @param bytesToRead their bytes
    /// @param bufferBytes the device buffer that receives them
    /// @param landing how bytes reach their place, and why that way
    record FilePlan(String file, int tensors, int ranges, long bytesToRead, long bufferBytes, String landing) {
    }
}
