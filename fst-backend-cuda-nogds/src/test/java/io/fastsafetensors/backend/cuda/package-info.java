/// The CUDA backend on a scripted driver, whose memory is the host's and which fails where a test says so; and on this
/// machine's own GPU where there is one.
package io.fastsafetensors.backend.cuda;
