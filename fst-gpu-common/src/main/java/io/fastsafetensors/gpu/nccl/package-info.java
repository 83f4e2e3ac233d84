/// Groups over NCCL, or RCCL, which has the same functions: what the transports `nccl` and `rccl` share. Their modules add
/// the device: [NcclDevice].
/// Communicators never block, so that every wait has a deadline and can be aborted.
@NullMarked
package io.fastsafetensors.gpu.nccl;

import org.jspecify.annotations.NullMarked;
