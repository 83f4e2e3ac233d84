package io.fastsafetensors.gpu.nccl;

import io.fastsafetensors.error.BackendException;
import io.fastsafetensors.error.Where;
import io.fastsafetensors.gpu.nccl.ffm.Nccl;

/// Makes exceptions of the library's statuses, in its own words. Thread-safe.
///
/// @param transport the transport's name
record NcclStatus(String transport, Nccl nccl) {
    private static final long NO_COMMUNICATOR = 0;
    /// What NCCL says of ranks that share a device.
    private static final String SAME_DEVICE = "Duplicate GPU detected";

    /// Lets success, and work that goes on, pass.
    ///
    /// @param comm the communicator that was called, 0 if none
    /// @throws BackendException otherwise
    void check(String call, int status, long comm) {
        if (status != Nccl.NCCL_SUCCESS && status != Nccl.NCCL_IN_PROGRESS) {
            String detail = nccl.ncclGetLastError(comm).strip();
            if (detail.contains(SAME_DEVICE)) {
                throw new BackendException("two ranks of this host have the same device; " + transport
                        + " needs one for each rank (" + detail + ")", Where.backend(transport));
            }
            throw BackendException.ofStatus(transport, nccl.library(), call, status, nccl.ncclGetErrorString(status)
                    + (detail.isEmpty() ? "" : ": " + detail) + "; NCCL_DEBUG=WARN makes it say more");
        }
    }

    void check(String call, int status) {
        check(call, status, NO_COMMUNICATOR);
    }
}
