/// The HIP runtime and hiprtc: for each one interface with the C names, and one binding through the foreign-function
/// API, which also knows where the versions of ROCm differ.
/// Nothing else of the HIP backend is native.
@NullMarked
package io.fastsafetensors.backend.rocm.hip.ffm;

import org.jspecify.annotations.NullMarked;
