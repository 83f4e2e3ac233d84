/// The HIP backend on a fake GPU in this process, on fakes of other versions in processes of their own, and on the real
/// library where it is installed.
/// The fake takes the real library's place for this whole process.
package io.fastsafetensors.backend.rocm.hip;
