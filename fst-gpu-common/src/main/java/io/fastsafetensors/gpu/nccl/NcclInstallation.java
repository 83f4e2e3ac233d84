package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.UnsupportedFeatureException;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;
import java.util.Optional;
import java.util.function.Supplier;

/// The library on this machine, or why there is none.
///
/// @param nccl the library
/// @param obstacle why it cannot be used; empty if it can
public record NcclInstallation(Optional<Nccl> nccl, Optional<String> obstacle) {
    /// Communicators that do not block can be relied on since 2.18.
    private static final int OLDEST = 21_800;

    /// Never throws and never prints.
    ///
    /// @param transport the transport's name
    /// @param binding opens the library
    public static NcclInstallation find(String transport, Supplier<Nccl> binding) {
        try {
            Nccl nccl = binding.get();
            int[] version = new int[1];
            new NcclStatus(transport, nccl).check("ncclGetVersion", nccl.ncclGetVersion(version));
            return version[0] >= OLDEST ? new NcclInstallation(Optional.of(nccl), Optional.empty())
                    : missing(nccl.library() + " is of version " + version[0] + "; " + OLDEST
                            + " (2.18) or newer is needed");
        } catch (LinkageError | UnsupportedFeatureException | IllegalCallerException | BackendException e) {
            return missing(String.valueOf(e.getMessage()));
        }
    }

    private static NcclInstallation missing(String why) {
        return new NcclInstallation(Optional.empty(), Optional.of(why));
    }
}
