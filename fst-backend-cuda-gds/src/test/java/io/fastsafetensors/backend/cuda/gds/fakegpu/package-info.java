/// The backend on the fake GPU of fst-test-support and a fake `libcufile.so.0` compiled here: through every layer down to C, on
/// machines without a GPU.
package io.fastsafetensors.backend.cuda.gds.fakegpu;
